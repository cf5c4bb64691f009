#include "connx_edits.h"

#include "classes.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <tuple>

#include "fields.h"
#include "model.h"

using connx::Place;

namespace {

constexpr std::uint32_t graphInput = 11;     // GraphProto.input
constexpr std::uint32_t modelMetadata = 14;  // ModelProto.metadata_props

/// Bytes that the caller writes.
struct Content {
  std::size_t number;
  std::size_t length;
};

/// A replacement.
struct Edit {
  /// Bytes of the file that are left out.
  std::size_t start;
  std::size_t end;
  /// Index of the message around them; -1 for the model.
  std::int64_t parent;
  /// What takes their place: bytes, and the caller's behind them.
  std::string bytes;
  std::optional<Content> content;

  std::size_t length() const { return bytes.size() + (content ? content->length : 0); }
  std::int64_t growth() const {
    return static_cast<std::int64_t>(length()) - static_cast<std::int64_t>(end - start);
  }
};

bool isPresent(const Place &place) { return place.lengthSize != 0; }

}  // namespace

struct connx_places {
  std::shared_ptr<const connx::Places> places;
};

struct connx_edits {
  std::shared_ptr<const connx::Places> places;
  std::vector<Edit> edits;
  /// The edits in the order of the file, and the pieces that come of them.
  std::vector<Edit> ordered;
  std::vector<connx_piece> pieces;

  const connx::TensorPlaces *tensor(std::size_t index) const {
    for (const connx::GraphPlaces &graph : places->graphs) {
      if (index < graph.initializers.size()) return &graph.initializers[index];
      index -= graph.initializers.size();
    }
    return index < places->attributeTensors.size() ? &places->attributeTensors[index] : nullptr;
  }

  const connx::NodePlaces *node(std::size_t index) const {
    for (const connx::GraphPlaces &graph : places->graphs) {
      if (index < graph.nodes.size()) return &graph.nodes[index];
      index -= graph.nodes.size();
    }
    return nullptr;
  }

  /// Replaces the content of a field, and its length where that changes.
  void replace(const Place &place, const std::string &bytes, std::optional<Content> content = {}) {
    const std::size_t length = bytes.size() + (content ? content->length : 0);
    if (length == place.length) {
      edits.push_back({place.offset, place.offset + place.length, place.parent, bytes, content});
      return;
    }
    std::string head;
    connx::appendVarint(head, length);
    edits.push_back({place.lengthOffset, place.offset + place.length, place.parent, head + bytes,
                     content});
  }

  /// Adds a field at the end of the model's graph.
  void append(const std::string &bytes, std::optional<Content> content = {}) {
    const std::int64_t graph = places->graphs[0].message;
    const Place &message = places->messages[static_cast<std::size_t>(graph)];
    const std::size_t end = message.offset + message.length;
    edits.push_back({end, end, graph, bytes, content});
  }

  /// New lengths of all messages that grow or shrink, from the inside outwards.
  std::vector<Edit> lengthEdits() const {
    std::map<std::int64_t, std::int64_t> growth;
    for (const Edit &edit : edits) growth[edit.parent] += edit.growth();
    std::vector<Edit> result;
    // Messages come behind those that enclose them.
    for (std::size_t index = places->messages.size(); index-- > 0;) {
      const auto found = growth.find(static_cast<std::int64_t>(index));
      if (found == growth.end() || found->second == 0) continue;
      const Place &message = places->messages[index];
      Edit edit{message.lengthOffset, message.lengthOffset + message.lengthSize, message.parent,
                {}, {}};
      connx::appendVarint(
          edit.bytes, message.length + static_cast<std::uint64_t>(found->second));
      growth[message.parent] += found->second + edit.growth();
      result.push_back(std::move(edit));
    }
    return result;
  }
};

namespace {

/// Runs `body`, which tells whether the field is there and throws when memory runs out.
template <typename Body>
int32_t guarded(Body body) {
  try {
    return body() ? 1 : -1;
  } catch (...) {
    return 0;
  }
}

/// The description of an initializer among the graph's inputs.
onnx::ValueInfoProto description(const onnx::TensorProto &tensor) {
  onnx::ValueInfoProto value;
  value.set_name(tensor.name());
  auto *type = value.mutable_type()->mutable_tensor_type();
  type->set_elem_type(tensor.data_type());
  auto *shape = type->mutable_shape();
  for (const auto size : tensor.dims()) shape->add_dim()->set_dim_value(size);
  return value;
}

}  // namespace

extern "C" {

connx_places *connx_model_places(const connx_model *model) {
  return new (std::nothrow) connx_places{model->places};
}

void connx_places_free(connx_places *places) { delete places; }

connx_edits *connx_edits_create(const connx_places *places) {
  try {
    auto edits = std::make_unique<connx_edits>();
    edits->places = places->places;
    return edits.release();
  } catch (...) {
    return nullptr;
  }
}

void connx_edits_free(connx_edits *edits) { delete edits; }

int32_t connx_edits_payload(connx_edits *edits, size_t tensor, size_t length, size_t content) {
  return guarded([&] {
    const connx::TensorPlaces *places = edits->tensor(tensor);
    if (places == nullptr) return false;
    // An empty raw field may stand beside the one that has the elements.
    const bool isRaw =
        isPresent(places->raw) && (places->raw.length > 0 || !isPresent(places->floats));
    const Place &place = isRaw ? places->raw : places->floats;
    if (!isPresent(place)) return false;
    edits->replace(place, {}, Content{content, length});
    return true;
  });
}

int32_t connx_edits_patterns(
    connx_edits *edits, size_t tensor, const uint16_t *patterns, size_t count) {
  return guarded([&] {
    const connx::TensorPlaces *places = edits->tensor(tensor);
    if (places == nullptr || !isPresent(places->int32s)) return false;
    std::string bytes;
    for (size_t index = 0; index < count; ++index) connx::appendVarint(bytes, patterns[index]);
    edits->replace(places->int32s, bytes);
    return true;
  });
}

int32_t connx_edits_location(
    connx_edits *edits, size_t tensor, const char *location, size_t length) {
  return guarded([&] {
    const connx::TensorPlaces *places = edits->tensor(tensor);
    if (places == nullptr || !isPresent(places->location)) return false;
    edits->replace(places->location, std::string(location, length));
    return true;
  });
}

int32_t connx_edits_float(connx_edits *edits, size_t node, size_t attribute, float value) {
  return guarded([&] {
    const connx::NodePlaces *places = edits->node(node);
    if (places == nullptr || attribute >= places->attributes.size()) return false;
    const std::size_t offset = places->attributes[attribute].floatOffset;
    if (offset == 0) return false;
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    std::string bytes;
    for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<char>(bits >> shift));
    edits->edits.push_back({offset, offset + bytes.size(), -1, bytes, {}});
    return true;
  });
}

int32_t connx_edits_input(
    connx_edits *edits, size_t node, size_t input, const char *name, size_t length) {
  return guarded([&] {
    const connx::NodePlaces *places = edits->node(node);
    if (places == nullptr || input >= places->inputs.size()) return false;
    edits->replace(places->inputs[input], std::string(name, length));
    return true;
  });
}

int32_t connx_edits_initializer(
    connx_edits *edits, const char *name, size_t name_length, int32_t data_type,
    const int64_t *dimensions, size_t rank, size_t length, size_t content, int32_t is_input) {
  return guarded([&] {
    onnx::TensorProto tensor;
    for (size_t axis = 0; axis < rank; ++axis) tensor.add_dims(dimensions[axis]);
    tensor.set_data_type(data_type);
    tensor.set_name(std::string(name, name_length));
    edits->append(connx::initializerPrefix(tensor, length), Content{content, length});
    if (is_input == 0) return true;
    std::string input;
    connx::appendField(input, graphInput, description(tensor).SerializeAsString());
    edits->append(input);
    return true;
  });
}

int32_t connx_edits_metadata(connx_edits *edits, const char *key, const char *value) {
  return guarded([&] {
    onnx::StringStringEntryProto entry;
    entry.set_key(key);
    entry.set_value(value);
    std::string field;
    connx::appendField(field, modelMetadata, entry.SerializeAsString());
    const std::size_t end = edits->places->fileLength;
    edits->edits.push_back({end, end, -1, field, {}});
    return true;
  });
}

int32_t connx_edits_finish(connx_edits *edits, connx_pieces *out_pieces) {
  return guarded([&] {
    edits->ordered = edits->edits;
    for (Edit &edit : edits->lengthEdits()) edits->ordered.push_back(std::move(edit));
    std::stable_sort(
        edits->ordered.begin(), edits->ordered.end(), [](const Edit &a, const Edit &b) {
          return std::tie(a.start, a.end) < std::tie(b.start, b.end);
        });
    edits->pieces.clear();
    std::size_t position = 0;
    std::size_t length = 0;
    const auto add = [&](const connx_piece &piece) {
      if (piece.length == 0) return;
      edits->pieces.push_back(piece);
      length += piece.length;
    };
    for (const Edit &edit : edits->ordered) {
      if (edit.start < position) {
        out_pieces->conflict = edit.start;
        return false;
      }
      add({CONNX_PIECE_SOURCE, position, edit.start - position, nullptr, 0});
      add({CONNX_PIECE_BYTES, 0, edit.bytes.size(), edit.bytes.data(), 0});
      if (edit.content) {
        add({CONNX_PIECE_CONTENT, 0, edit.content->length, nullptr, edit.content->number});
      }
      position = edit.end;
    }
    add({CONNX_PIECE_SOURCE, position, edits->places->fileLength - position, nullptr, 0});
    *out_pieces = {edits->pieces.data(), edits->pieces.size(), length, 0};
    return true;
  });
}

}  // extern "C"
