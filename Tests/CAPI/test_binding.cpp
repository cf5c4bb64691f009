// The C++ binding: handles, exceptions, callbacks.
#include <cleanclip.hpp>

#include <stdexcept>
#include <type_traits>

#include "support.h"

static_assert(!std::is_copy_constructible<cleanclip::Model>::value, "copies are explicit");
static_assert(std::is_nothrow_move_constructible<cleanclip::Model>::value, "models move");

static void test_errors_carry_code_and_text() {
  try {
    cleanclip::Model model("no/such.onnx");
    CHECK(!"an exception");
  } catch (const cleanclip::Error &error) {
    CHECK(error.code() == CLEANCLIP_NOT_FOUND);
    CHECK(std::string(error.what()).find("no/such.onnx") != std::string::npos);
  }
}

static void test_models_round_trip() {
  cleanclip::Model model = cleanclip::Model::create(tiny_architecture, 1);
  CHECK(model.embedDim() == TINY_EMBED_DIM);
  CHECK(model.describe().front() == '{');
  const std::vector<std::string> names = model.parameterNames();
  CHECK(names.size() > 40);
  CHECK((model.parameterShape("visual.conv1.weight") == std::vector<std::int64_t>{32, 3, 8, 8}));
  std::vector<float> scale = model.parameter("logit_scale");
  CHECK(scale.size() == 1);
  scale[0] = 0;
  cleanclip::Model copy = model.copy();
  model.setParameter("logit_scale", scale);
  CHECK(model.logitScale() == 1);
  CHECK(copy.logitScale() > 14);
  const std::string path = scratch("binding.safetensors");
  copy.save(path);
  CHECK(cleanclip::Model(path).logitScale() > 14);
}

static void test_features() {
  const cleanclip::Model model = cleanclip::Model::create(tiny_architecture, 1);
  const cleanclip::Tokenizer tokenizer(tiny_vocabulary());
  const std::vector<std::uint8_t> pixels(2 * 20 * 30 * 3, 77);
  const cleanclip::Features images = model.encodeImages(pixels.data(), 2, 20, 30);
  CHECK(images.count == 2 && images.embedDim == TINY_EMBED_DIM);
  CHECK(images.values.size() == 2 * TINY_EMBED_DIM);
  CHECK(images[0][3] == images[1][3]);
  const cleanclip::Features texts = model.encodeTexts(tokenizer, {"red", "a blue box"});
  CHECK(texts.count == 2);
  CHECK(model.encodeTexts(tokenizer, {}).values.empty());
  const std::vector<std::int32_t> ids = tokenizer.encode({"red"}, TINY_CONTEXT);
  const cleanclip::Features tokens = model.encodeTokens(ids.data(), 1, TINY_CONTEXT);
  for (int i = 0; i < TINY_EMBED_DIM; ++i) CHECK(tokens[0][i] == texts[0][i]);
}

static cleanclip::SanitizeOptions shortOptions() {
  cleanclip::SanitizeOptions options;
  options.epochs = 1;
  options.batch_size = 8;
  options.precision = CLEANCLIP_PRECISION_F32;
  return options;
}

static void test_training_with_functions() {
  cleanclip::Model model = cleanclip::Model::create(tiny_architecture, 1);
  const cleanclip::Tokenizer tokenizer(tiny_vocabulary());
  pair_source source = {};
  source.broken_index = -1;
  const cleanclip::Dataset pairs(16, [&source](std::int64_t index, cleanclip_pair &pair) {
    return hand_over_pair(index, &pair, &source) == 0;
  });
  CHECK(pairs.size() == 16);
  int steps = 0;
  const cleanclip::History history = cleanclip::sanitize(
      model, tokenizer, pairs, shortOptions(), [&steps](const cleanclip_progress &) {
        ++steps;
        return true;
      });
  CHECK(steps == 2 && history.size() == 2);
  CHECK(history[1].step == 2);
  CHECK(history.json().front() == '{');
  try {
    cleanclip::sanitize(model, tokenizer, pairs, shortOptions(),
                        [](const cleanclip_progress &) { return false; });
    CHECK(!"an exception");
  } catch (const cleanclip::Error &error) {
    CHECK(error.code() == CLEANCLIP_CANCELLED);
  }
  // What a callback throws goes around the C code and comes out.
  try {
    cleanclip::sanitize(model, tokenizer, pairs, shortOptions(),
                        [](const cleanclip_progress &) -> bool { throw std::logic_error("mine"); });
    CHECK(!"an exception");
  } catch (const std::logic_error &error) {
    CHECK(std::string(error.what()) == "mine");
  }
}

int main() {
  RUN(test_errors_carry_code_and_text);
  RUN(test_models_round_trip);
  RUN(test_features);
  RUN(test_training_with_functions);
  remove_scratch();
  return finish();
}
