/* NULL for every pointer argument, wrong sizes, numbers out of range. */
#include "support.h"

static void test_version_matches_header(void) {
  char text[32];
  CHECK(cleanclip_version_number() == CLEANCLIP_VERSION_NUMBER);
  CHECK(strcmp(cleanclip_version(), CLEANCLIP_VERSION_STRING) == 0);
  snprintf(text, sizeof text, "%d.%d.%d", CLEANCLIP_VERSION_MAJOR, CLEANCLIP_VERSION_MINOR,
           CLEANCLIP_VERSION_PATCH);
  CHECK(strcmp(text, CLEANCLIP_VERSION_STRING) == 0);
}

static void test_status_names(void) {
  CHECK(strcmp(cleanclip_status_name(CLEANCLIP_OK), "CLEANCLIP_OK") == 0);
  CHECK(strcmp(cleanclip_status_name(CLEANCLIP_INVALID_ARGUMENT), "CLEANCLIP_INVALID_ARGUMENT") == 0);
  CHECK(strcmp(cleanclip_status_name(CLEANCLIP_SHAPE), "CLEANCLIP_SHAPE") == 0);
  CHECK(strcmp(cleanclip_status_name(CLEANCLIP_NOT_FOUND), "CLEANCLIP_NOT_FOUND") == 0);
  CHECK(strcmp(cleanclip_status_name(CLEANCLIP_IO), "CLEANCLIP_IO") == 0);
  CHECK(strcmp(cleanclip_status_name(CLEANCLIP_FORMAT), "CLEANCLIP_FORMAT") == 0);
  CHECK(strcmp(cleanclip_status_name(CLEANCLIP_UNSUPPORTED), "CLEANCLIP_UNSUPPORTED") == 0);
  CHECK(strcmp(cleanclip_status_name(CLEANCLIP_STATE), "CLEANCLIP_STATE") == 0);
  CHECK(strcmp(cleanclip_status_name(CLEANCLIP_OUT_OF_MEMORY), "CLEANCLIP_OUT_OF_MEMORY") == 0);
  CHECK(strcmp(cleanclip_status_name(CLEANCLIP_CANCELLED), "CLEANCLIP_CANCELLED") == 0);
  CHECK(strcmp(cleanclip_status_name(CLEANCLIP_INTERNAL), "CLEANCLIP_INTERNAL") == 0);
  CHECK(strcmp(cleanclip_status_name((cleanclip_status)4711), "CLEANCLIP_UNKNOWN") == 0);
}

/* Each status in turn, with the last error naming the argument. */
#define CHECK_NULL(name, call)                                              \
  do {                                                                      \
    CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, call);                         \
    CHECK(strstr(cleanclip_last_error(), name " is NULL; expected") != NULL); \
  } while (0)

static void test_model_functions_refuse_null(void) {
  cleanclip_model *model = tiny_model(1);
  cleanclip_model *out = (cleanclip_model *)&failures;
  cleanclip_parameter_info info;
  float values[4];
  size_t length = 0;
  int64_t index = 0;
  cleanclip_parameter_info_init(&info, sizeof info);

  CHECK_NULL("path", cleanclip_model_load(NULL, &out));
  CHECK(out == NULL);
  CHECK_NULL("out_model", cleanclip_model_load("x.onnx", NULL));
  CHECK_NULL("architecture", cleanclip_model_create(NULL, 0, &out));
  CHECK_NULL("out_model", cleanclip_model_create("RN50", 0, NULL));
  CHECK_NULL("model", cleanclip_model_copy(NULL, &out));
  CHECK_NULL("out_model", cleanclip_model_copy(model, NULL));
  CHECK_NULL("model", cleanclip_model_save(NULL, "x.onnx"));
  CHECK_NULL("path", cleanclip_model_save(model, NULL));
  CHECK_NULL("model", cleanclip_model_describe(NULL, NULL, 0, &length));
  CHECK_NULL("out_length", cleanclip_model_describe(model, NULL, 0, NULL));
  CHECK_NULL("out_text", cleanclip_model_describe(model, NULL, 10, &length));
  CHECK_NULL("model", cleanclip_model_parameter_info(NULL, 0, &info));
  CHECK_NULL("out_info", cleanclip_model_parameter_info(model, 0, NULL));
  CHECK_NULL("model", cleanclip_model_find_parameter(NULL, "logit_scale", &index));
  CHECK(index == -1);
  CHECK_NULL("name", cleanclip_model_find_parameter(model, NULL, &index));
  CHECK_NULL("out_index", cleanclip_model_find_parameter(model, "logit_scale", NULL));
  CHECK_NULL("model", cleanclip_model_read_parameter(NULL, "logit_scale", values, 4));
  CHECK_NULL("name", cleanclip_model_read_parameter(model, NULL, values, 4));
  CHECK_NULL("out_values", cleanclip_model_read_parameter(model, "logit_scale", NULL, 4));
  CHECK_NULL("model", cleanclip_model_write_parameter(NULL, "logit_scale", values, 1));
  CHECK_NULL("name", cleanclip_model_write_parameter(model, NULL, values, 1));
  CHECK_NULL("values", cleanclip_model_write_parameter(model, "logit_scale", NULL, 1));

  CHECK(cleanclip_model_embed_dim(NULL) == 0);
  CHECK(cleanclip_model_image_size(NULL) == 0);
  CHECK(cleanclip_model_context_length(NULL) == 0);
  CHECK(cleanclip_model_vocab_size(NULL) == 0);
  CHECK(cleanclip_model_logit_scale(NULL) == 0);
  CHECK(cleanclip_model_parameter_count(NULL) == 0);
  cleanclip_model_free(NULL);
  cleanclip_model_free(model);
}

static void test_tokenizer_functions_refuse_null(void) {
  cleanclip_tokenizer *tokenizer = tiny_tokenizer();
  cleanclip_tokenizer *out = (cleanclip_tokenizer *)&failures;
  const char *texts[1] = {"red"};
  const char *missing[1] = {NULL};
  int32_t ids[8];

  CHECK_NULL("path", cleanclip_tokenizer_load(NULL, &out));
  CHECK(out == NULL);
  CHECK_NULL("out_tokenizer", cleanclip_tokenizer_load("x", NULL));
  CHECK_NULL("out_tokenizer", cleanclip_tokenizer_find(NULL, NULL));
  CHECK_NULL("tokenizer", cleanclip_tokenizer_encode(NULL, texts, 1, 8, ids, 8));
  CHECK_NULL("texts", cleanclip_tokenizer_encode(tokenizer, NULL, 1, 8, ids, 8));
  CHECK_NULL("texts[0]", cleanclip_tokenizer_encode(tokenizer, missing, 1, 8, ids, 8));
  CHECK_NULL("out_ids", cleanclip_tokenizer_encode(tokenizer, texts, 1, 8, NULL, 8));
  CHECK(cleanclip_tokenizer_vocab_size(NULL) == 0);
  cleanclip_tokenizer_free(NULL);
  cleanclip_tokenizer_free(tokenizer);
}

static void test_encode_functions_refuse_null(void) {
  cleanclip_model *model = tiny_model(1);
  cleanclip_tokenizer *tokenizer = tiny_tokenizer();
  static float pixels[3 * TINY_IMAGE_SIZE * TINY_IMAGE_SIZE];
  static uint8_t bytes[3 * TINY_IMAGE_SIZE * TINY_IMAGE_SIZE];
  const int64_t side = TINY_IMAGE_SIZE;
  const char *texts[1] = {"red"};
  const char *missing[1] = {NULL};
  const int32_t ids[2] = {516, 517};
  float out[TINY_EMBED_DIM];
  const size_t room = TINY_EMBED_DIM;

  CHECK_NULL("model", cleanclip_model_encode_images_f32(NULL, pixels, 1, side, side, NULL, out, room));
  CHECK_NULL("pixels", cleanclip_model_encode_images_f32(model, NULL, 1, side, side, NULL, out, room));
  CHECK_NULL("out_features",
             cleanclip_model_encode_images_f32(model, pixels, 1, side, side, NULL, NULL, room));
  CHECK_NULL("model", cleanclip_model_encode_images_u8(NULL, bytes, 1, side, side, NULL, out, room));
  CHECK_NULL("pixels", cleanclip_model_encode_images_u8(model, NULL, 1, side, side, NULL, out, room));
  CHECK_NULL("out_features",
             cleanclip_model_encode_images_u8(model, bytes, 1, side, side, NULL, NULL, room));
  CHECK_NULL("model", cleanclip_model_encode_image_files(NULL, texts, 1, NULL, out, room));
  CHECK_NULL("paths", cleanclip_model_encode_image_files(model, NULL, 1, NULL, out, room));
  CHECK_NULL("paths[0]", cleanclip_model_encode_image_files(model, missing, 1, NULL, out, room));
  CHECK_NULL("out_features", cleanclip_model_encode_image_files(model, texts, 1, NULL, NULL, room));
  CHECK_NULL("model", cleanclip_model_encode_image_inputs(NULL, pixels, 1, NULL, out, room));
  CHECK_NULL("inputs", cleanclip_model_encode_image_inputs(model, NULL, 1, NULL, out, room));
  CHECK_NULL("out_features", cleanclip_model_encode_image_inputs(model, pixels, 1, NULL, NULL, room));
  CHECK_NULL("model", cleanclip_model_encode_texts(NULL, tokenizer, texts, 1, NULL, out, room));
  CHECK_NULL("tokenizer", cleanclip_model_encode_texts(model, NULL, texts, 1, NULL, out, room));
  CHECK_NULL("texts", cleanclip_model_encode_texts(model, tokenizer, NULL, 1, NULL, out, room));
  CHECK_NULL("texts[0]", cleanclip_model_encode_texts(model, tokenizer, missing, 1, NULL, out, room));
  CHECK_NULL("out_features",
             cleanclip_model_encode_texts(model, tokenizer, texts, 1, NULL, NULL, room));
  CHECK_NULL("model", cleanclip_model_encode_tokens(NULL, ids, 1, 2, NULL, out, room));
  CHECK_NULL("ids", cleanclip_model_encode_tokens(model, NULL, 1, 2, NULL, out, room));
  CHECK_NULL("out_features", cleanclip_model_encode_tokens(model, ids, 1, 2, NULL, NULL, room));
  cleanclip_tokenizer_free(tokenizer);
  cleanclip_model_free(model);
}

static void test_dataset_functions_refuse_null(void) {
  cleanclip_dataset *out = (cleanclip_dataset *)&failures;
  const char *sources[1] = {"x.csv"};
  const char *missing[1] = {NULL};
  CHECK_NULL("sources", cleanclip_dataset_open(NULL, 1, NULL, &out));
  CHECK(out == NULL);
  CHECK_NULL("sources[0]", cleanclip_dataset_open(missing, 1, NULL, &out));
  CHECK_NULL("out_dataset", cleanclip_dataset_open(sources, 1, NULL, NULL));
  CHECK_NULL("callback", cleanclip_dataset_create(1, NULL, NULL, &out));
  CHECK_NULL("out_dataset", cleanclip_dataset_create(1, hand_over_pair, NULL, NULL));
  CHECK(cleanclip_dataset_count(NULL) == 0);
  {
    size_t length = 0;
    CHECK_NULL("dataset", cleanclip_dataset_describe(NULL, NULL, 0, &length));
  }
  cleanclip_dataset_free(NULL);
}

static void test_training_and_evaluation_refuse_null(void) {
  cleanclip_model *model = tiny_model(1);
  cleanclip_tokenizer *tokenizer = tiny_tokenizer();
  pair_source source;
  cleanclip_dataset *dataset = tiny_dataset(&source, 4);
  cleanclip_history *history = (cleanclip_history *)&failures;
  cleanclip_evaluation *evaluation = (cleanclip_evaluation *)&failures;
  cleanclip_evaluate_options options;
  cleanclip_progress progress;
  cleanclip_scores scores;
  size_t length = 0;
  cleanclip_evaluate_options_init(&options, sizeof options);
  cleanclip_progress_init(&progress, sizeof progress);
  cleanclip_scores_init(&scores, sizeof scores);

  CHECK_NULL("model", cleanclip_sanitize(NULL, tokenizer, dataset, NULL, NULL, NULL, &history));
  CHECK(history == NULL);
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT,
               cleanclip_sanitize(model, NULL, dataset, NULL, NULL, NULL, NULL));
  CHECK_NULL("dataset", cleanclip_sanitize(model, tokenizer, NULL, NULL, NULL, NULL, NULL));
  CHECK(cleanclip_history_count(NULL) == 0);
  CHECK_NULL("history", cleanclip_history_step(NULL, 0, &progress));
  CHECK_NULL("history", cleanclip_history_json(NULL, NULL, 0, &length));
  cleanclip_history_free(NULL);

  CHECK_NULL("model", cleanclip_evaluate(NULL, tokenizer, dataset, &options, NULL, NULL, &evaluation));
  CHECK(evaluation == NULL);
  CHECK_NULL("tokenizer", cleanclip_evaluate(model, NULL, dataset, &options, NULL, NULL, &evaluation));
  CHECK_NULL("dataset",
             cleanclip_evaluate(model, tokenizer, NULL, &options, NULL, NULL, &evaluation));
  CHECK_NULL("options",
             cleanclip_evaluate(model, tokenizer, dataset, NULL, NULL, NULL, &evaluation));
  CHECK_NULL("out_evaluation",
             cleanclip_evaluate(model, tokenizer, dataset, &options, NULL, NULL, NULL));
  char text[512];
  CHECK_NULL("model", cleanclip_evaluate_retrieval(NULL, tokenizer, NULL, NULL, NULL, NULL, text,
                                                   sizeof text, NULL));
  CHECK_NULL("dataset", cleanclip_evaluate_retrieval(model, tokenizer, NULL, NULL, NULL, NULL, text,
                                                     sizeof text, NULL));
  CHECK_NULL("options->classes",
             cleanclip_evaluate(model, tokenizer, dataset, &options, NULL, NULL, &evaluation));
  CHECK_NULL("evaluation", cleanclip_evaluation_scores(NULL, &scores));
  CHECK_NULL("evaluation", cleanclip_evaluation_json(NULL, NULL, 0, &length));
  cleanclip_evaluation_free(NULL);

  cleanclip_dataset_free(dataset);
  cleanclip_tokenizer_free(tokenizer);
  cleanclip_model_free(model);
}

static void test_attacks_and_reports_refuse_null(void) {
  cleanclip_trigger *trigger = (cleanclip_trigger *)&failures;
  pair_source source;
  cleanclip_dataset *dataset = tiny_dataset(&source, 4);
  cleanclip_poison_options options;
  cleanclip_report_options report;
  uint8_t pixels[12] = {0};
  int64_t poisoned = 7;
  cleanclip_poison_options_init(&options, sizeof options);
  cleanclip_report_options_init(&report, sizeof report);

  CHECK_NULL("name", cleanclip_trigger_load(NULL, NULL, &trigger));
  CHECK(trigger == NULL);
  CHECK_NULL("out_trigger", cleanclip_trigger_load("badnets", NULL, NULL));
  CHECK_OK(cleanclip_trigger_load("badnets", NULL, &trigger));
  CHECK_NULL("trigger", cleanclip_trigger_apply(NULL, pixels, 1, 0, 2, 2));
  CHECK_NULL("pixels", cleanclip_trigger_apply(trigger, NULL, 1, 0, 2, 2));
  CHECK_NULL("dataset", cleanclip_dataset_poison(NULL, trigger, &options, "x.tar", NULL, NULL, NULL,
                                                 &poisoned));
  CHECK(poisoned == 0);
  CHECK_NULL("trigger", cleanclip_dataset_poison(dataset, NULL, &options, "x.tar", NULL, NULL, NULL,
                                                 NULL));
  CHECK_NULL("options", cleanclip_dataset_poison(dataset, trigger, NULL, "x.tar", NULL, NULL, NULL,
                                                 NULL));
  CHECK_NULL("output_path", cleanclip_dataset_poison(dataset, trigger, &options, NULL, NULL, NULL,
                                                     NULL, NULL));
  CHECK_NULL("options->target", cleanclip_dataset_poison(dataset, trigger, &options, "x.tar", NULL,
                                                         NULL, NULL, NULL));
  CHECK_NULL("options", cleanclip_report_write(NULL, "x.html"));
  CHECK_NULL("path", cleanclip_report_write(&report, NULL));
  cleanclip_trigger_free(NULL);
  cleanclip_trigger_free(trigger);
  cleanclip_dataset_free(dataset);
}

static void test_init_functions_accept_null_and_any_size(void) {
  unsigned char memory[4096];
  size_t i;
  cleanclip_parameter_info_init(NULL, sizeof(cleanclip_parameter_info));
  cleanclip_encode_options_init(NULL, sizeof(cleanclip_encode_options));
  cleanclip_dataset_options_init(NULL, sizeof(cleanclip_dataset_options));
  cleanclip_sanitize_options_init(NULL, sizeof(cleanclip_sanitize_options));
  cleanclip_progress_init(NULL, sizeof(cleanclip_progress));
  cleanclip_trigger_options_init(NULL, sizeof(cleanclip_trigger_options));
  cleanclip_poison_options_init(NULL, sizeof(cleanclip_poison_options));
  cleanclip_evaluate_options_init(NULL, sizeof(cleanclip_evaluate_options));
  cleanclip_scores_init(NULL, sizeof(cleanclip_scores));
  cleanclip_report_options_init(NULL, sizeof(cleanclip_report_options));

  /* A shorter struct, of an earlier version: nothing is written beyond it. */
  memset(memory, 0xAB, sizeof memory);
  cleanclip_sanitize_options_init((cleanclip_sanitize_options *)(void *)memory, 16);
  for (i = 16; i < sizeof memory; ++i) CHECK(memory[i] == 0xAB);
  /* A longer one, of a later version: the rest is cleared. */
  memset(memory, 0xAB, sizeof memory);
  cleanclip_sanitize_options_init((cleanclip_sanitize_options *)(void *)memory, 1024);
  CHECK(*(size_t *)(void *)memory == 1024);
  for (i = sizeof(cleanclip_sanitize_options); i < 1024; ++i) CHECK(memory[i] == 0);
  CHECK(memory[1024] == 0xAB);
}

static void test_struct_size_is_checked(void) {
  cleanclip_model *model = tiny_model(1);
  static float pixels[3 * TINY_IMAGE_SIZE * TINY_IMAGE_SIZE];
  float out[TINY_EMBED_DIM];
  cleanclip_encode_options options;
  memset(&options, 0, sizeof options);
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT,
               cleanclip_model_encode_image_inputs(model, pixels, 1, &options, out, TINY_EMBED_DIM));
  CHECK(strstr(cleanclip_last_error(), "options->struct_size") != NULL);
  cleanclip_encode_options_init(&options, sizeof options);
  options.normalize = 2;
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT,
               cleanclip_model_encode_image_inputs(model, pixels, 1, &options, out, TINY_EMBED_DIM));
  CHECK(strstr(cleanclip_last_error(), "options->normalize is out of range; expected 0 to 1") != NULL);
  memset(&options, 0xAB, sizeof options);
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT,
               cleanclip_model_encode_image_inputs(model, pixels, 1, &options, out, TINY_EMBED_DIM));
  cleanclip_encode_options_init(&options, sizeof options);
  CHECK_OK(cleanclip_model_encode_image_inputs(model, pixels, 1, &options, out, TINY_EMBED_DIM));
  options.precision = 9;
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT,
               cleanclip_model_encode_image_inputs(model, pixels, 1, &options, out, TINY_EMBED_DIM));
  cleanclip_encode_options_init(&options, sizeof options);
  options.batch_size = -1;
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT,
               cleanclip_model_encode_image_inputs(model, pixels, 1, &options, out, TINY_EMBED_DIM));
  cleanclip_model_free(model);
}

static void test_sizes_are_checked(void) {
  cleanclip_model *model = tiny_model(1);
  cleanclip_tokenizer *tokenizer = tiny_tokenizer();
  static float pixels[3 * TINY_IMAGE_SIZE * TINY_IMAGE_SIZE];
  static uint8_t bytes[3 * TINY_IMAGE_SIZE * TINY_IMAGE_SIZE];
  const int64_t side = TINY_IMAGE_SIZE;
  const char *texts[1] = {"red"};
  int32_t ids[TINY_CONTEXT + 1] = {516, 517};
  float out[TINY_EMBED_DIM];
  const size_t room = TINY_EMBED_DIM;

#define INVALID(call) CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, call)
  INVALID(cleanclip_model_encode_images_f32(model, pixels, -1, side, side, NULL, out, room));
  INVALID(cleanclip_model_encode_images_f32(model, pixels, INT64_MAX, side, side, NULL, out, room));
  INVALID(cleanclip_model_encode_images_f32(model, pixels, 1, side, side, NULL, out, room - 1));
  CHECK_STATUS(CLEANCLIP_SHAPE, cleanclip_model_encode_images_f32(model, pixels, 1, side, side + 1,
                                                                  NULL, out, room));
  CHECK_STATUS(CLEANCLIP_SHAPE, cleanclip_model_encode_images_f32(model, pixels, 1, INT64_MIN,
                                                                  INT64_MAX, NULL, out, room));
  INVALID(cleanclip_model_encode_images_u8(model, bytes, 1, 0, side, NULL, out, room));
  INVALID(cleanclip_model_encode_images_u8(model, bytes, 1, side, -5, NULL, out, room));
  INVALID(cleanclip_model_encode_images_u8(model, bytes, 1, INT64_MAX, INT64_MAX, NULL, out, room));
  INVALID(cleanclip_model_encode_images_u8(model, bytes, 0x7fffffff, 65535, 65535, NULL, out, room));
  INVALID(cleanclip_model_encode_image_files(model, texts, -1, NULL, out, room));
  INVALID(cleanclip_model_encode_image_inputs(model, pixels, 2, NULL, out, room));
  INVALID(cleanclip_model_encode_tokens(model, ids, 1, 0, NULL, out, room));
  INVALID(cleanclip_model_encode_tokens(model, ids, 0x7fffffff, 65536, NULL, out, room));
  CHECK_STATUS(CLEANCLIP_SHAPE, cleanclip_model_encode_tokens(model, ids, 1, TINY_CONTEXT + 1, NULL,
                                                              out, room));
  ids[1] = -1;
  INVALID(cleanclip_model_encode_tokens(model, ids, 1, 2, NULL, out, room));
  ids[1] = TINY_VOCABULARY;
  INVALID(cleanclip_model_encode_tokens(model, ids, 1, 2, NULL, out, room));
  INVALID(cleanclip_tokenizer_encode(tokenizer, texts, 1, 1, ids, 2));
  INVALID(cleanclip_tokenizer_encode(tokenizer, texts, 1, 8, ids, 7));
  INVALID(cleanclip_tokenizer_encode(tokenizer, texts, -1, 8, ids, 8));
  INVALID(cleanclip_model_parameter_info(model, -1, NULL));
  INVALID(cleanclip_set_num_threads(-1));
  INVALID(cleanclip_set_num_threads(100000));
  CHECK_STATUS(CLEANCLIP_SHAPE, cleanclip_model_write_parameter(model, "logit_scale", out, 2));
  INVALID(cleanclip_model_read_parameter(model, "visual.proj", out, room));
  /* A capacity beyond the half of size_t is large, not negative. */
  CHECK_OK(cleanclip_model_encode_image_inputs(model, pixels, 1, NULL, out, SIZE_MAX));
  /* Nothing to do. */
  CHECK_OK(cleanclip_model_encode_image_inputs(model, pixels, 0, NULL, out, 0));
  CHECK_OK(cleanclip_tokenizer_encode(tokenizer, texts, 0, 8, ids, 0));
#undef INVALID
  cleanclip_tokenizer_free(tokenizer);
  cleanclip_model_free(model);
}

static void test_values_that_are_no_numbers_are_refused(void) {
  cleanclip_model *model = tiny_model(1);
  static float pixels[3 * TINY_IMAGE_SIZE * TINY_IMAGE_SIZE];
  const int64_t side = TINY_IMAGE_SIZE;
  const float zero = 0;
  float out[TINY_EMBED_DIM];
  float value = 0;
  pixels[77] = zero / zero;
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_model_encode_images_f32(
                                               model, pixels, 1, side, side, NULL, out, TINY_EMBED_DIM));
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_model_encode_image_inputs(
                                               model, pixels, 1, NULL, out, TINY_EMBED_DIM));
  pixels[77] = 255;
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_model_encode_images_f32(
                                               model, pixels, 1, side, side, NULL, out, TINY_EMBED_DIM));
  value = 1 / zero;
  CHECK(cleanclip_model_write_parameter(model, "logit_scale", &value, 1) != CLEANCLIP_OK);
  CHECK(cleanclip_model_logit_scale(model) > 14 && cleanclip_model_logit_scale(model) < 15);
  cleanclip_model_free(model);
}

int main(void) {
  RUN(test_version_matches_header);
  RUN(test_status_names);
  RUN(test_model_functions_refuse_null);
  RUN(test_tokenizer_functions_refuse_null);
  RUN(test_encode_functions_refuse_null);
  RUN(test_dataset_functions_refuse_null);
  RUN(test_training_and_evaluation_refuse_null);
  RUN(test_attacks_and_reports_refuse_null);
  RUN(test_init_functions_accept_null_and_any_size);
  RUN(test_struct_size_is_checked);
  RUN(test_sizes_are_checked);
  RUN(test_values_that_are_no_numbers_are_refused);
  remove_scratch();
  return finish();
}
