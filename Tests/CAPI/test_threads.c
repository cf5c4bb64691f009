/* Two threads: distinct handles, one model for both, and last errors that stay apart. */
#include "support.h"

#include <pthread.h>

enum { ROUNDS = 20 };

typedef struct job {
  const cleanclip_model *model; /* NULL: a model of the thread's own. */
  uint64_t seed;
  float features[TINY_EMBED_DIM];
  int mistakes;
} job;

static void encode(const cleanclip_model *model, float *features) {
  float inputs[3 * TINY_IMAGE_SIZE * TINY_IMAGE_SIZE];
  size_t i;
  for (i = 0; i < sizeof inputs / sizeof *inputs; ++i) inputs[i] = (float)(i % 23) / 11 - 1;
  if (cleanclip_model_encode_image_inputs(model, inputs, 1, NULL, features, TINY_EMBED_DIM) !=
      CLEANCLIP_OK) {
    fprintf(stderr, "encode: %s\n", cleanclip_last_error());
  }
}

static void *work(void *argument) {
  job *self = (job *)argument;
  char expected[64];
  int round;
  snprintf(expected, sizeof expected, "got 'tensor-%d'", (int)self->seed);
  for (round = 0; round < ROUNDS; ++round) {
    cleanclip_model *own = NULL;
    float features[TINY_EMBED_DIM], value;
    char name[64];
    if (self->model == NULL && cleanclip_model_create(tiny_architecture, self->seed, &own) != CLEANCLIP_OK) {
      ++self->mistakes;
      break;
    }
    encode(self->model != NULL ? self->model : own, features);
    if (round == 0) memcpy(self->features, features, sizeof features);
    if (memcmp(self->features, features, sizeof features) != 0) ++self->mistakes;
    snprintf(name, sizeof name, "tensor-%d", (int)self->seed);
    if (cleanclip_model_read_parameter(self->model != NULL ? self->model : own, name, &value, 1) !=
            CLEANCLIP_NOT_FOUND ||
        strstr(cleanclip_last_error(), expected) == NULL) {
      ++self->mistakes;
    }
    cleanclip_model_free(own);
  }
  return NULL;
}

static void run_two(const cleanclip_model *shared, float *expected1, float *expected2) {
  job jobs[2];
  pthread_t threads[2];
  int i;
  memset(jobs, 0, sizeof jobs);
  for (i = 0; i < 2; ++i) {
    jobs[i].model = shared;
    jobs[i].seed = (uint64_t)i + 1;
    CHECK(pthread_create(&threads[i], NULL, work, &jobs[i]) == 0);
  }
  for (i = 0; i < 2; ++i) pthread_join(threads[i], NULL);
  CHECK(jobs[0].mistakes == 0 && jobs[1].mistakes == 0);
  CHECK(memcmp(jobs[0].features, expected1, sizeof jobs[0].features) == 0);
  CHECK(memcmp(jobs[1].features, expected2, sizeof jobs[1].features) == 0);
}

static void test_distinct_handles_in_two_threads(void) {
  cleanclip_model *one = tiny_model(1), *two = tiny_model(2);
  float features1[TINY_EMBED_DIM], features2[TINY_EMBED_DIM];
  encode(one, features1);
  encode(two, features2);
  cleanclip_model_free(one);
  cleanclip_model_free(two);
  run_two(NULL, features1, features2);
}

static void test_one_model_in_two_threads(void) {
  cleanclip_model *model = tiny_model(3);
  float features[TINY_EMBED_DIM];
  cleanclip_model *fresh = tiny_model(3);
  encode(fresh, features);
  cleanclip_model_free(fresh);
  /* Nothing was computed with it yet: both threads are first. */
  run_two(model, features, features);
  cleanclip_model_free(model);
}

static void test_number_of_threads_is_kept(void) {
  const int32_t initial = cleanclip_num_threads();
  CHECK(initial >= 1);
  CHECK_OK(cleanclip_set_num_threads(3));
  CHECK(cleanclip_num_threads() == 3);
  CHECK_OK(cleanclip_set_num_threads(0));
  CHECK(cleanclip_num_threads() == initial);
}

int main(void) {
  RUN(test_distinct_handles_in_two_threads);
  RUN(test_one_model_in_two_threads);
  RUN(test_number_of_threads_is_kept);
  remove_scratch();
  return finish();
}
