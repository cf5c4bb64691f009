/* What a model is loaded from and what it is given: preprocessing, files that change, pairs of the host,
   and calls that end when the host says so. */
#include "support.h"

#include <fcntl.h>
#include <sys/stat.h>

enum { PAIRS = 5 };

static char folder[] = "/tmp/cleanclip-inputs-XXXXXX";

static const char *in_folder(const char *name) {
  static char paths[4][256];
  static int next = 0;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

static int contains(const cleanclip_model *model, const char *text) {
  static char description[8192];
  CHECK_OK(cleanclip_model_describe(model, description, sizeof description, NULL));
  return strstr(description, text) != NULL;
}

static cleanclip_model *loaded_with(const char *path, const char *preprocessing) {
  cleanclip_model_options options;
  cleanclip_model *model = NULL;
  cleanclip_model_options_init(&options, sizeof options);
  CHECK(options.preprocessing == NULL);
  options.preprocessing = preprocessing;
  CHECK_OK(cleanclip_model_load_with(path, &options, &model));
  return model;
}

static void test_preprocessing_is_said_and_kept(void) {
  cleanclip_model *model = tiny_model(1), *again = NULL;
  cleanclip_model_options options;
  CHECK_OK(cleanclip_model_save(model, in_folder("a.onnx")));
  cleanclip_model_free(model);
  model = loaded_with(in_folder("a.onnx"), "{\"resize_mode\": \"squash\"}");
  CHECK(contains(model, "\"resize_mode\":\"squash\""));
  CHECK_OK(cleanclip_model_save(model, in_folder("b.onnx")));
  CHECK_OK(cleanclip_model_load(in_folder("b.onnx"), &again));
  CHECK(contains(again, "\"resize_mode\":\"squash\""));
  cleanclip_model_free(again);
  cleanclip_model_free(model);
  model = loaded_with(in_folder("b.onnx"), NULL);
  CHECK(contains(model, "\"resize_mode\":\"squash\""));
  cleanclip_model_free(model);
  cleanclip_model_options_init(&options, sizeof options);
  options.preprocessing = "{\"resize_mode\": \"stretch\"}";
  CHECK_STATUS(CLEANCLIP_UNSUPPORTED,
               cleanclip_model_load_with(in_folder("b.onnx"), &options, &model));
  CHECK(model == NULL);
  CHECK(strstr(cleanclip_last_error(), "resize_mode cannot be used; expected shortest or longest"));
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_model_load_with(NULL, NULL, &model));
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_model_load_with("a.onnx", NULL, NULL));
}

static void test_a_graph_that_is_shortened_ends_no_process(void) {
  cleanclip_model *model = tiny_model(2), *graph = NULL;
  float scale = 3;
  CHECK_OK(cleanclip_model_save(model, in_folder("c.onnx")));
  cleanclip_model_free(model);
  CHECK_OK(cleanclip_model_load(in_folder("c.onnx"), &graph));
  CHECK_OK(cleanclip_model_write_parameter(graph, "logit_scale", &scale, 1));
  CHECK(truncate(in_folder("c.onnx"), 100) == 0);
  CHECK_STATUS(CLEANCLIP_STATE, cleanclip_model_save(graph, in_folder("d.onnx")));
  CHECK(strstr(cleanclip_last_error(), "has changed since it was opened") != NULL);
  CHECK(access(in_folder("d.onnx"), F_OK) != 0);
  CHECK_OK(cleanclip_model_save(graph, in_folder("d.safetensors")));
  cleanclip_model_free(graph);
}

static uint8_t images[PAIRS][20 * 30 * 3];

static int32_t hand_over(int64_t index, cleanclip_pair *pair, void *user_data) {
  const int64_t *broken = (const int64_t *)user_data;
  if (index == *broken) {
    pair->problem = "the tape is torn";
    return 1;
  }
  pair->image = images[index];
  pair->image_byte_count = sizeof images[index];
  pair->height = 20;
  pair->width = 30;
  return 0;
}

typedef struct progress {
  int64_t calls, last, stop_at;
} progress;

static int32_t count(int64_t done, int64_t total, void *user_data) {
  progress *seen = (progress *)user_data;
  CHECK(total == PAIRS);
  CHECK(done >= seen->last);
  seen->last = done;
  ++seen->calls;
  return done == seen->stop_at;
}

static void test_images_of_a_dataset_are_encoded_in_its_order(void) {
  static float features[PAIRS * TINY_EMBED_DIM], expected[PAIRS * TINY_EMBED_DIM];
  cleanclip_model *model = tiny_model(3);
  cleanclip_dataset *dataset = NULL;
  cleanclip_encode_options options;
  int64_t broken = -1;
  progress seen = {0, 0, -1};
  size_t i;
  for (i = 0; i < sizeof images; ++i) ((uint8_t *)images)[i] = (uint8_t)(i * 7 % 251);
  CHECK_OK(cleanclip_dataset_create(PAIRS, hand_over, &broken, &dataset));
  cleanclip_encode_options_init(&options, sizeof options);
  options.batch_size = 2;
  CHECK_OK(cleanclip_model_encode_images_u8(model, (uint8_t *)images, PAIRS, 20, 30, &options, expected,
                                            PAIRS * TINY_EMBED_DIM));
  CHECK_OK(cleanclip_model_encode_dataset(model, dataset, &options, count, &seen, features,
                                          PAIRS * TINY_EMBED_DIM));
  CHECK(seen.last == PAIRS && seen.calls > PAIRS);
  CHECK(memcmp(features, expected, sizeof features) == 0);
  CHECK_OK(cleanclip_model_encode_dataset(model, dataset, NULL, NULL, NULL, features,
                                          PAIRS * TINY_EMBED_DIM));
  seen.last = 0;
  seen.stop_at = 3;
  CHECK_STATUS(CLEANCLIP_CANCELLED,
               cleanclip_model_encode_dataset(model, dataset, &options, count, &seen, features,
                                              PAIRS * TINY_EMBED_DIM));
  broken = 4;
  CHECK_STATUS(CLEANCLIP_NOT_FOUND,
               cleanclip_model_encode_dataset(model, dataset, &options, NULL, NULL, features,
                                              PAIRS * TINY_EMBED_DIM));
  CHECK(strcmp(cleanclip_last_error(), "'pair 4': cannot be handed over; expected a pair from the "
                                       "callback, got the tape is torn") == 0);
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT,
               cleanclip_model_encode_dataset(model, dataset, NULL, NULL, NULL, features, 3));
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT,
               cleanclip_model_encode_dataset(model, NULL, NULL, NULL, NULL, features, 3));
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT,
               cleanclip_model_encode_dataset(NULL, dataset, NULL, NULL, NULL, features, 3));
  cleanclip_dataset_free(dataset);
  cleanclip_model_free(model);
}

static int32_t stop_after(void *user_data) { return --*(int *)user_data < 0; }

static void test_a_poll_ends_calls_without_progress(void) {
  static float features[64 * TINY_EMBED_DIM], pixels[64 * 3 * TINY_IMAGE_SIZE * TINY_IMAGE_SIZE];
  cleanclip_model *model = tiny_model(4), *none = NULL;
  cleanclip_encode_options options;
  int left = 0;
  CHECK_OK(cleanclip_model_save(model, in_folder("e.safetensors")));
  cleanclip_set_poll_callback(stop_after, &left);
  CHECK_STATUS(CLEANCLIP_CANCELLED, cleanclip_model_save(model, in_folder("f.safetensors")));
  CHECK(access(in_folder("f.safetensors"), F_OK) != 0);
  left = 3;
  cleanclip_encode_options_init(&options, sizeof options);
  options.batch_size = 8;
  CHECK_STATUS(CLEANCLIP_CANCELLED,
               cleanclip_model_encode_images_f32(model, pixels, 64, TINY_IMAGE_SIZE,
                                                 TINY_IMAGE_SIZE, &options, features,
                                                 64 * TINY_EMBED_DIM));
  CHECK(left == -1);
  cleanclip_set_poll_callback(NULL, NULL);
  CHECK_OK(cleanclip_model_encode_images_f32(model, pixels, 64, TINY_IMAGE_SIZE, TINY_IMAGE_SIZE,
                                             &options, features, 64 * TINY_EMBED_DIM));
  CHECK_OK(cleanclip_model_load(in_folder("e.safetensors"), &none));
  cleanclip_model_free(none);
  cleanclip_model_free(model);
}

int main(void) {
  CHECK(mkdtemp(folder) != NULL);
  RUN(test_preprocessing_is_said_and_kept);
  RUN(test_a_graph_that_is_shortened_ends_no_process);
  RUN(test_images_of_a_dataset_are_encoded_in_its_order);
  RUN(test_a_poll_ends_calls_without_progress);
  return finish();
}
