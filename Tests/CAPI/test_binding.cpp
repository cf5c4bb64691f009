// The C++ binding: handles, errors, weights, features, training.
#include <cleanclip.hpp>

#include <type_traits>

#include "support.h"

#include <cmath>

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
  const std::vector<cleanclip::ParameterInfo> infos = model.parameters();
  CHECK(infos.size() > 40 && infos.front().isTrainable);
  const cleanclip::ParameterInfo info = model.parameterInfo("visual.conv1.weight");
  CHECK(info.name == "visual.conv1.weight");
  CHECK((info.shape == std::vector<std::int64_t>{32, 3, 8, 8}));
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

static void test_models_in_memory() {
  const cleanclip::Model model = cleanclip::Model::create(tiny_architecture, 1);
  const cleanclip::Buffer graph = model.saveBuffer("onnx");
  CHECK(graph.size() > 1000);
  const std::vector<unsigned char> bytes(graph.data(), graph.data() + graph.size());
  CHECK(cleanclip::Model::load(bytes).logitScale() == model.logitScale());
  cleanclip::ModelOptions options;
  options.preprocessing = "{\"resize_mode\": \"squash\"}";
  const cleanclip::Model squashed = cleanclip::Model::load(bytes, options);
  CHECK(squashed.describe().find("squash") != std::string::npos);
  try {
    cleanclip::Model::load(bytes, bytes);
    CHECK(false);
  } catch (const cleanclip::Error &error) {
    CHECK(error.code() == CLEANCLIP_INVALID_ARGUMENT);
  }
}

static void test_features() {
  const cleanclip::Model model = cleanclip::Model::create(tiny_architecture, 1);
  const cleanclip::Tokenizer tokenizer(tiny_vocabulary());
  const std::vector<std::uint8_t> pixels(2 * 20 * 30 * 3, 77);
  const cleanclip::Features images = model.encodeImages(pixels, 2, 20, 30);
  CHECK(images.count == 2 && images.embedDim == TINY_EMBED_DIM);
  CHECK(images.values.size() == 2 * TINY_EMBED_DIM);
  CHECK(images[0][3] == images[1][3]);
  const cleanclip::Features texts = model.encodeTexts(tokenizer, {"red", "a blue box"});
  CHECK(texts.count == 2);
  CHECK(model.encodeTexts(tokenizer, {}).values.empty());
  const std::vector<std::int32_t> ids = tokenizer.encode({"red"}, TINY_CONTEXT);
  const cleanclip::Features tokens = model.encodeTokens(ids, 1, TINY_CONTEXT);
  // One text and two may be rounded differently.
  for (int i = 0; i < TINY_EMBED_DIM; ++i) CHECK(std::fabs(tokens[0][i] - texts[0][i]) < 1e-6f);
}

static void test_views_have_a_size() {
  const cleanclip::Model model = cleanclip::Model::create(tiny_architecture, 1);
  const std::vector<float> pixels(3 * 32 * 32, 0.5f);
  CHECK(model.encodeImages(pixels, 1, 32, 32).count == 1);
  CHECK(model.encodeImageInputs(pixels, 1).count == 1);
  CHECK(model.encodeImages(cleanclip::Span<const float>(), 0, 32, 32).values.empty());
  try {
    model.encodeImages(pixels, 2, 32, 32);
    CHECK(!"an exception");
  } catch (const cleanclip::Error &error) {
    CHECK(error.code() == CLEANCLIP_SHAPE);
    CHECK(std::string(error.what()).find("expected 6144 elements, got 3072") != std::string::npos);
  }
}

static void test_the_process() {
  CHECK(cleanclip::versionNumber() == CLEANCLIP_VERSION_NUMBER);
  CHECK(std::string(cleanclip::version()) == CLEANCLIP_VERSION_STRING);
  CHECK(std::string(cleanclip::statusName(CLEANCLIP_IO)) == cleanclip_status_name(CLEANCLIP_IO));
  const std::int32_t before = cleanclip::threadCount();
  cleanclip::setThreadCount(1);
  CHECK(cleanclip::threadCount() == 1);
  cleanclip::setThreadCount(before);
  try {
    cleanclip::setThreadCount(-1);
    CHECK(!"an exception");
  } catch (const cleanclip::Error &error) {
    CHECK(error.code() == CLEANCLIP_INVALID_ARGUMENT);
  }
  CHECK(cleanclip::memoryPeak() >= cleanclip::memoryInUse());
  cleanclip::trimMemory();
}

static cleanclip::SanitizeOptions shortOptions() {
  cleanclip::SanitizeOptions options;
  options.epochs = 1;
  options.batch_size = 8;
  options.precision = CLEANCLIP_PRECISION_F32;
  return options;
}

static void test_training() {
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
}

int main() {
  RUN(test_errors_carry_code_and_text);
  RUN(test_models_round_trip);
  RUN(test_models_in_memory);
  RUN(test_features);
  RUN(test_views_have_a_size);
  RUN(test_the_process);
  RUN(test_training);
  remove_scratch();
  return finish();
}
