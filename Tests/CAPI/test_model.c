/* Models, tokenizers and features: what comes back, and in which order things may be freed. */
#include "support.h"

#include <math.h>

static void test_sizes_come_from_the_architecture(void) {
  cleanclip_model *model = tiny_model(1);
  CHECK(cleanclip_model_embed_dim(model) == TINY_EMBED_DIM);
  CHECK(cleanclip_model_image_size(model) == TINY_IMAGE_SIZE);
  CHECK(cleanclip_model_context_length(model) == TINY_CONTEXT);
  CHECK(cleanclip_model_vocab_size(model) == TINY_VOCABULARY);
  CHECK(fabs(cleanclip_model_logit_scale(model) - 1 / 0.07) < 1e-3);
  cleanclip_model_free(model);
}

static void test_parameters_go_out_and_in(void) {
  cleanclip_model *model = tiny_model(1);
  cleanclip_parameter_info info;
  const int64_t count = cleanclip_model_parameter_count(model);
  int64_t i;
  int has_scale = 0;
  cleanclip_parameter_info_init(&info, sizeof info);
  CHECK(count > 40);
  for (i = 0; i < count; ++i) {
    int64_t product = 1, found = -1;
    int32_t axis;
    float *values;
    CHECK_OK(cleanclip_model_parameter_info(model, i, &info));
    CHECK(info.struct_size == sizeof info);
    CHECK(info.rank >= 0 && info.rank <= 8);
    for (axis = 0; axis < info.rank; ++axis) product *= info.dimensions[axis];
    CHECK(product == info.element_count);
    CHECK_OK(cleanclip_model_find_parameter(model, info.name, &found));
    CHECK(found == i);
    values = (float *)malloc((size_t)product * sizeof *values);
    CHECK_OK(cleanclip_model_read_parameter(model, info.name, values, (size_t)product));
    values[0] = 0.25f;
    CHECK_OK(cleanclip_model_write_parameter(model, info.name, values, (size_t)product));
    values[0] = 0;
    CHECK_OK(cleanclip_model_read_parameter(model, info.name, values, (size_t)product));
    CHECK(values[0] == 0.25f);
    has_scale |= strcmp(info.name, "logit_scale") == 0;
    free(values);
  }
  CHECK(has_scale);
  CHECK(fabs(cleanclip_model_logit_scale(model) - exp(0.25)) < 1e-5);
  CHECK_STATUS(CLEANCLIP_NOT_FOUND, cleanclip_model_find_parameter(model, "no such tensor", &i));
  CHECK(i == -1);
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_model_parameter_info(model, count, &info));
  cleanclip_model_free(model);
}

static void encode_pattern(const cleanclip_model *model, float *features) {
  static float inputs[3 * TINY_IMAGE_SIZE * TINY_IMAGE_SIZE];
  size_t i;
  for (i = 0; i < sizeof inputs / sizeof *inputs; ++i) inputs[i] = (float)(i % 17) / 8 - 1;
  CHECK_OK(cleanclip_model_encode_image_inputs(model, inputs, 1, NULL, features, TINY_EMBED_DIM));
}

static void test_copies_are_independent(void) {
  cleanclip_model *model = tiny_model(3);
  cleanclip_model *copy = NULL;
  float before[TINY_EMBED_DIM], after[TINY_EMBED_DIM], copied[TINY_EMBED_DIM];
  float bias[32] = {0};
  CHECK_OK(cleanclip_model_copy(model, &copy));
  encode_pattern(model, before);
  bias[3] = 5;
  CHECK_OK(cleanclip_model_write_parameter(model, "visual.ln_post.bias", bias, 32));
  encode_pattern(model, after);
  CHECK(memcmp(before, after, sizeof before) != 0);
  cleanclip_model_free(model);
  encode_pattern(copy, copied);
  CHECK(memcmp(before, copied, sizeof before) == 0);
  cleanclip_model_free(copy);
}

static void test_weights_survive_a_file(void) {
  cleanclip_model *model = tiny_model(4);
  cleanclip_model *loaded = NULL;
  float before[TINY_EMBED_DIM], after[TINY_EMBED_DIM];
  const char *path = scratch("model.onnx");
  int i;
  encode_pattern(model, before);
  CHECK_OK(cleanclip_model_save(model, path));
  CHECK_OK(cleanclip_model_load(path, &loaded));
  encode_pattern(loaded, after);
  for (i = 0; i < TINY_EMBED_DIM; ++i) CHECK(fabs(before[i] - after[i]) < 1e-5);
  /* Over the file that it came from. */
  CHECK_OK(cleanclip_model_save(loaded, path));
  cleanclip_model_free(loaded);
  cleanclip_model_free(model);
}

static void test_saving_reports_what_is_wrong(void) {
  cleanclip_model *model = tiny_model(4);
  CHECK_STATUS(CLEANCLIP_UNSUPPORTED, cleanclip_model_save(model, scratch("model.txt")));
  CHECK(strstr(cleanclip_last_error(), ".safetensors") != NULL);
  CHECK(cleanclip_model_save(model, scratch("missing/model.safetensors")) != CLEANCLIP_OK);
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_model_save(model, ""));
  cleanclip_model_free(model);
}

static void test_descriptions_are_json(void) {
  cleanclip_model *model = tiny_model(1);
  size_t length = 0, again = 0;
  char *text;
  CHECK_OK(cleanclip_model_describe(model, NULL, 0, &length));
  CHECK(length > 100);
  text = (char *)malloc(length + 1);
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_model_describe(model, text, length, &again));
  CHECK(again == length);
  CHECK_OK(cleanclip_model_describe(model, text, length + 1, NULL));
  CHECK(strlen(text) == length);
  CHECK(text[0] == '{' && text[length - 1] == '}');
  CHECK(strstr(text, "\"patch_size\"") != NULL);
  free(text);
  cleanclip_model_free(model);
}

static void test_tokens_are_framed_and_cut(void) {
  cleanclip_tokenizer *tokenizer = tiny_tokenizer();
  const char *texts[3] = {"red box", "", "a b c d e f g h i j k l m n"};
  int32_t ids[3 * 8];
  const int32_t start = (int32_t)cleanclip_tokenizer_vocab_size(tokenizer) - 2;
  CHECK(cleanclip_tokenizer_vocab_size(tokenizer) == 518);
  CHECK_OK(cleanclip_tokenizer_encode(tokenizer, texts, 3, 8, ids, 24));
  CHECK(ids[0] == start && ids[8] == start && ids[16] == start);
  CHECK(ids[9] == start + 1 && ids[10] == 0);
  CHECK(ids[23] == start + 1);
  cleanclip_tokenizer_free(tokenizer);
}

static void test_texts_and_their_tokens_have_equal_features(void) {
  cleanclip_model *model = tiny_model(5);
  cleanclip_tokenizer *tokenizer = tiny_tokenizer();
  const char *texts[2] = {"a red box", "blue"};
  int32_t ids[2 * TINY_CONTEXT];
  float from_text[2 * TINY_EMBED_DIM], from_ids[2 * TINY_EMBED_DIM];
  cleanclip_encode_options options;
  double square = 0;
  int i;
  CHECK_OK(cleanclip_tokenizer_encode(tokenizer, texts, 2, TINY_CONTEXT, ids, 2 * TINY_CONTEXT));
  CHECK_OK(cleanclip_model_encode_texts(model, tokenizer, texts, 2, NULL, from_text, 32));
  CHECK_OK(cleanclip_model_encode_tokens(model, ids, 2, TINY_CONTEXT, NULL, from_ids, 32));
  CHECK(memcmp(from_text, from_ids, sizeof from_text) == 0);
  for (i = 0; i < TINY_EMBED_DIM; ++i) square += (double)from_text[i] * from_text[i];
  CHECK(fabs(square - 1) < 1e-5);
  cleanclip_encode_options_init(&options, sizeof options);
  options.normalize = 0;
  options.batch_size = 1;
  CHECK_OK(cleanclip_model_encode_texts(model, tokenizer, texts, 2, &options, from_ids, 32));
  square = 0;
  for (i = 0; i < TINY_EMBED_DIM; ++i) square += (double)from_ids[i] * from_ids[i];
  CHECK(fabs(square - 1) > 1e-3);
  cleanclip_tokenizer_free(tokenizer);
  cleanclip_model_free(model);
}

static void test_bytes_and_numbers_have_equal_features(void) {
  cleanclip_model *model = tiny_model(6);
  static uint8_t bytes[TINY_IMAGE_SIZE * TINY_IMAGE_SIZE * 3];
  static float pixels[3 * TINY_IMAGE_SIZE * TINY_IMAGE_SIZE];
  const int plane = TINY_IMAGE_SIZE * TINY_IMAGE_SIZE;
  float a[TINY_EMBED_DIM], b[TINY_EMBED_DIM];
  int i, c;
  for (i = 0; i < plane; ++i) {
    for (c = 0; c < 3; ++c) {
      bytes[i * 3 + c] = (uint8_t)((i * (c + 3)) % 256);
      pixels[c * plane + i] = (float)bytes[i * 3 + c] / 255;
    }
  }
  CHECK_OK(cleanclip_model_encode_images_u8(model, bytes, 1, TINY_IMAGE_SIZE, TINY_IMAGE_SIZE, NULL,
                                            a, TINY_EMBED_DIM));
  CHECK_OK(cleanclip_model_encode_images_f32(model, pixels, 1, TINY_IMAGE_SIZE, TINY_IMAGE_SIZE,
                                             NULL, b, TINY_EMBED_DIM));
  for (i = 0; i < TINY_EMBED_DIM; ++i) CHECK(fabs(a[i] - b[i]) < 1e-5);
  cleanclip_model_free(model);
}

static void test_memory_returns_to_its_start(void) {
  const int64_t start = cleanclip_memory_in_use();
  int round;
  for (round = 0; round < 3; ++round) {
    cleanclip_model *model = tiny_model(7);
    cleanclip_model *copy = NULL;
    float features[TINY_EMBED_DIM];
    CHECK_OK(cleanclip_model_copy(model, &copy));
    encode_pattern(model, features);
    CHECK(cleanclip_memory_in_use() > start);
    cleanclip_model_free(model);
    cleanclip_model_free(copy);
    CHECK(cleanclip_memory_in_use() == start);
  }
  CHECK(cleanclip_memory_peak() > start);
  cleanclip_memory_trim();
}

static void test_unknown_architectures_are_refused(void) {
  cleanclip_model *model = NULL;
  CHECK_STATUS(CLEANCLIP_NOT_FOUND, cleanclip_model_create("ViT-Z-99", 0, &model));
  CHECK(strstr(cleanclip_last_error(), "ViT-B-32") != NULL);
  CHECK_STATUS(CLEANCLIP_FORMAT, cleanclip_model_create("{broken", 0, &model));
  CHECK_STATUS(CLEANCLIP_FORMAT, cleanclip_model_create("{}", 0, &model));
  CHECK_STATUS(CLEANCLIP_UNSUPPORTED,
               cleanclip_model_create("{\"embed_dim\": 8, \"vision_cfg\": {\"timm_model_name\": \"x\"}}",
                                      0, &model));
  CHECK(model == NULL);
}

int main(void) {
  RUN(test_sizes_come_from_the_architecture);
  RUN(test_parameters_go_out_and_in);
  RUN(test_copies_are_independent);
  RUN(test_weights_survive_a_file);
  RUN(test_saving_reports_what_is_wrong);
  RUN(test_descriptions_are_json);
  RUN(test_tokens_are_framed_and_cut);
  RUN(test_texts_and_their_tokens_have_equal_features);
  RUN(test_bytes_and_numbers_have_equal_features);
  RUN(test_memory_returns_to_its_start);
  RUN(test_unknown_architectures_are_refused);
  remove_scratch();
  return finish();
}
