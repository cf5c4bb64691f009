/* A program with ONNX classes of its own, of another version, whose names are everybody's: those of the
   library must be others. */
#include "support.h"

namespace google {
namespace protobuf {
class Arena;
}
}  // namespace google

namespace onnx {

/* As protobuf generates it, up to what it does: whoever takes it for the library's ends here. */
#define HOST_CLASS(name)                                                      \
  class name {                                                                \
   public:                                                                    \
    explicit name(google::protobuf::Arena *arena, bool is_owned = false);     \
    name(const name &other);                                                  \
    ~name();                                                                  \
    void Clear();                                                             \
    const char *_InternalParse(const char *text, void *context);              \
  };                                                                          \
  name::name(google::protobuf::Arena *, bool) { abort(); }                    \
  name::name(const name &) { abort(); }                                       \
  name::~name() { abort(); }                                                  \
  void name::Clear() { abort(); }                                             \
  const char *name::_InternalParse(const char *, void *) { abort(); }

HOST_CLASS(ModelProto)
HOST_CLASS(GraphProto)
HOST_CLASS(NodeProto)
HOST_CLASS(AttributeProto)
HOST_CLASS(TensorProto)
HOST_CLASS(ValueInfoProto)
HOST_CLASS(TypeProto)
HOST_CLASS(TensorShapeProto)
HOST_CLASS(OperatorSetIdProto)
HOST_CLASS(StringStringEntryProto)

}  // namespace onnx

static void test_graphs_are_written_and_read(void) {
  char path[] = "/tmp/cleanclip-classes-XXXXXX.onnx";
  const int file = mkstemps(path, 5);
  cleanclip_model *model = tiny_model(1), *again = NULL;
  CHECK(file >= 0);
  close(file);
  CHECK_OK(cleanclip_model_save(model, path));
  CHECK_OK(cleanclip_model_load(path, &again));
  CHECK_OK(cleanclip_model_save(again, path));
  cleanclip_model_free(again);
  cleanclip_model_free(model);
  unlink(path);
}

int main() {
  RUN(test_graphs_are_written_and_read);
  return finish();
}
