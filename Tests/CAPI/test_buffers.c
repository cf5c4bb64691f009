/* Checkpoints in memory, and messages with their severity. */
#include "support.h"

#include <sys/stat.h>

/* The bytes of a file, in memory of the caller. */
static unsigned char *read_file(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  unsigned char *bytes;
  long length;
  if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (length = ftell(file)) < 0) abort();
  rewind(file);
  bytes = (unsigned char *)malloc((size_t)length + 1);
  *size = fread(bytes, 1, (size_t)length, file);
  fclose(file);
  return bytes;
}

static float first_weight(const cleanclip_model *model) {
  float values[TINY_EMBED_DIM * 32];
  CHECK_OK(cleanclip_model_read_parameter(model, "visual.proj", values, TINY_EMBED_DIM * 32));
  return values[0];
}

static void test_a_buffer_is_what_a_file_would_be(void) {
  static const char *const forms[] = {"onnx", "safetensors"};
  cleanclip_model *model = tiny_model(1);
  size_t i;
  for (i = 0; i < 2; ++i) {
    char name[32];
    const char *path;
    unsigned char *bytes;
    size_t size;
    cleanclip_buffer *buffer = NULL;
    cleanclip_model *again = NULL;
    snprintf(name, sizeof name, "file.%s", forms[i]);
    path = scratch(name);
    CHECK_OK(cleanclip_model_save(model, path));
    bytes = read_file(path, &size);
    CHECK_OK(cleanclip_model_save_buffer(model, forms[i], &buffer));
    CHECK(cleanclip_buffer_size(buffer) == size);
    CHECK(memcmp(cleanclip_buffer_bytes(buffer), bytes, size) == 0);
    CHECK_OK(cleanclip_model_load_buffer(bytes, size, NULL, 0, NULL, &again));
    /* The model has a copy. */
    memset(bytes, 0, size);
    free(bytes);
    CHECK(first_weight(again) == first_weight(model));
    cleanclip_buffer_free(buffer);
    CHECK_OK(cleanclip_model_save_buffer(again, forms[i], &buffer));
    CHECK(cleanclip_buffer_size(buffer) == size);
    /* In any order. */
    cleanclip_model_free(again);
    CHECK(((const unsigned char *)cleanclip_buffer_bytes(buffer))[size - 1] <= 255);
    cleanclip_buffer_free(buffer);
  }
  cleanclip_model_free(model);
}

static void test_new_weights_go_into_a_copy_of_the_same_graph(void) {
  cleanclip_model *made = tiny_model(1), *model = NULL, *again = NULL;
  cleanclip_buffer *before = NULL, *after = NULL;
  float scale = 3;
  CHECK_OK(cleanclip_model_save_buffer(made, "onnx", &before));
  CHECK_OK(cleanclip_model_load_buffer(cleanclip_buffer_bytes(before), cleanclip_buffer_size(before),
                                       NULL, 0, NULL, &model));
  CHECK_OK(cleanclip_model_write_parameter(model, "logit_scale", &scale, 1));
  CHECK_OK(cleanclip_model_save_buffer(model, "onnx", &after));
  CHECK(cleanclip_buffer_size(after) == cleanclip_buffer_size(before));
  CHECK_OK(cleanclip_model_load_buffer(cleanclip_buffer_bytes(after), cleanclip_buffer_size(after),
                                       NULL, 0, NULL, &again));
  CHECK(cleanclip_model_logit_scale(again) > 20 && cleanclip_model_logit_scale(again) < 20.1);
  cleanclip_buffer_free(before);
  cleanclip_buffer_free(after);
  cleanclip_model_free(made);
  cleanclip_model_free(model);
  cleanclip_model_free(again);
}

static void test_bytes_that_are_no_checkpoint_are_refused(void) {
  static const char text[] = "a table, or so";
  cleanclip_model *made = tiny_model(1), *model = made;
  cleanclip_buffer *buffer = NULL;
  size_t size;
  const unsigned char *bytes;
  CHECK_STATUS(CLEANCLIP_UNSUPPORTED,
               cleanclip_model_load_buffer(text, sizeof text - 1, NULL, 0, NULL, &model));
  CHECK(model == NULL && strstr(cleanclip_last_error(), "'<buffer>': is text") != NULL);
  CHECK_OK(cleanclip_model_save_buffer(made, "onnx", &buffer));
  bytes = (const unsigned char *)cleanclip_buffer_bytes(buffer);
  for (size = 1; size < cleanclip_buffer_size(buffer); size = size * 3 + 1) {
    CHECK(cleanclip_model_load_buffer(bytes, size, NULL, 0, NULL, &model) != CLEANCLIP_OK);
    CHECK(model == NULL);
  }
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT,
               cleanclip_model_load_buffer(NULL, 4, NULL, 0, NULL, &model));
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT,
               cleanclip_model_load_buffer(bytes, 0, NULL, 0, NULL, &model));
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT,
               cleanclip_model_load_buffer(bytes, (size_t)-1, NULL, 0, NULL, &model));
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT,
               cleanclip_model_load_buffer(bytes, 8, NULL, 8, NULL, &model));
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT,
               cleanclip_model_load_buffer(bytes, 8, bytes, 0, NULL, &model));
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_model_load_buffer(bytes, 8, NULL, 0, NULL, NULL));
  cleanclip_buffer_free(buffer);
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_model_save_buffer(made, "pt", &buffer));
  CHECK(buffer == NULL && strstr(cleanclip_last_error(), "onnx or safetensors, got 'pt'") != NULL);
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_model_save_buffer(made, NULL, &buffer));
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_model_save_buffer(NULL, "onnx", &buffer));
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_model_save_buffer(made, "onnx", NULL));
  CHECK(cleanclip_buffer_bytes(NULL) == NULL && cleanclip_buffer_size(NULL) == 0);
  cleanclip_buffer_free(NULL);
  cleanclip_model_free(made);
}

static void test_preprocessing_may_be_given_with_bytes(void) {
  cleanclip_model *made = tiny_model(1), *model = NULL;
  cleanclip_buffer *buffer = NULL;
  cleanclip_model_options options;
  char text[8192];
  cleanclip_model_options_init(&options, sizeof options);
  options.preprocessing = "{\"resize_mode\": \"squash\"}";
  CHECK_OK(cleanclip_model_save_buffer(made, "safetensors", &buffer));
  CHECK_OK(cleanclip_model_load_buffer(cleanclip_buffer_bytes(buffer), cleanclip_buffer_size(buffer),
                                       NULL, 0, &options, &model));
  CHECK_OK(cleanclip_model_describe(model, text, sizeof text, NULL));
  CHECK(strstr(text, "\"squash\"") != NULL && strstr(text, "<buffer>") != NULL);
  cleanclip_buffer_free(buffer);
  cleanclip_model_free(made);
  cleanclip_model_free(model);
}

typedef struct heard {
  int infos, warnings, others;
} heard;

static void hear(int32_t severity, const char *message, void *user_data) {
  heard *counts = (heard *)user_data;
  CHECK(message[0] != '\0');
  if (severity == CLEANCLIP_SEVERITY_INFO) ++counts->infos;
  else if (severity == CLEANCLIP_SEVERITY_WARNING) ++counts->warnings;
  else ++counts->others;
}

static void hear_text(const char *message, void *user_data) {
  CHECK(message[0] != '\0');
  ++*(int *)user_data;
}

/* Opens a folder that holds something else too. */
static void open_mixed_folder(void) {
  const char *path = scratch("mixed");
  cleanclip_dataset *dataset = NULL;
  mkdir(path, 0700);
  write_file(scratch("mixed/pairs.csv"), "image,caption\na.png,a box\n");
  write_file(scratch("mixed/more.zip"), "PK");
  CHECK_OK(cleanclip_dataset_open(&path, 1, NULL, &dataset));
  cleanclip_dataset_free(dataset);
}

static void test_messages_have_a_severity(void) {
  heard counts = {0, 0, 0};
  int texts = 0;
  cleanclip_set_message_callback(hear, &counts);
  open_mixed_folder();
  CHECK(counts.warnings > 0 && counts.infos == 0 && counts.others == 0);
  CHECK(CLEANCLIP_SEVERITY_INFO < CLEANCLIP_SEVERITY_WARNING);
  /* The one that was set last is called, alone. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  cleanclip_set_log_callback(hear_text, &texts);
#pragma GCC diagnostic pop
  counts.warnings = 0;
  open_mixed_folder();
  CHECK(texts > 0 && counts.warnings == 0);
  cleanclip_set_message_callback(NULL, NULL);
  texts = 0;
  open_mixed_folder();
  CHECK(texts == 0);
}

int main(void) {
  RUN(test_a_buffer_is_what_a_file_would_be);
  RUN(test_new_weights_go_into_a_copy_of_the_same_graph);
  RUN(test_bytes_that_are_no_checkpoint_are_refused);
  RUN(test_preprocessing_may_be_given_with_bytes);
  RUN(test_messages_have_a_severity);
  remove_scratch();
  return finish();
}
