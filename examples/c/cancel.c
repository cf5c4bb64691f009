/*
 * Cancels a run from another thread: the callback is asked after each step, and the model keeps the weights of
 * the last one.
 *
 *   gcc -std=c11 -Wall -Wextra cancel.c -lcleanclip -lpthread -o cancel
 *   ./cancel clip.onnx 'finetune-*.tar' MILLISECONDS
 */
#include <cleanclip.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static atomic_int wants_to_stop;
static atomic_int has_begun;

/* The other thread: a button, a signal, a deadline; here a clock that runs from the first step. */
static void *stop_later(void *milliseconds) {
  const long wanted = *(const long *)milliseconds;
  const struct timespec moment = {0, 1000000};
  const struct timespec wait = {wanted / 1000, wanted % 1000 * 1000000};
  while (!atomic_load(&has_begun)) nanosleep(&moment, NULL);
  nanosleep(&wait, NULL);
  atomic_store(&wants_to_stop, 1);
  return NULL;
}

static int32_t ask(const cleanclip_progress *progress, void *user_data) {
  *(int64_t *)user_data = progress->step;
  atomic_store(&has_begun, 1);
  return atomic_load(&wants_to_stop); /* anything but 0 cancels */
}

int main(int argc, char **argv) {
  cleanclip_model *model = NULL;
  cleanclip_tokenizer *tokenizer = NULL;
  cleanclip_dataset *pairs = NULL;
  cleanclip_sanitize_options options;
  cleanclip_status status;
  const char *sources[1];
  int64_t steps = 0;
  long milliseconds;
  pthread_t thread;

  if (argc != 4) {
    fprintf(stderr, "usage: %s MODEL PAIRS MILLISECONDS\n", argv[0]);
    return 2;
  }
  sources[0] = argv[2];
  milliseconds = strtol(argv[3], NULL, 10);
  if (cleanclip_model_load(argv[1], &model) != CLEANCLIP_OK ||
      cleanclip_tokenizer_find(argv[1], &tokenizer) != CLEANCLIP_OK ||
      cleanclip_dataset_open(sources, 1, NULL, &pairs) != CLEANCLIP_OK) {
    fprintf(stderr, "%s\n", cleanclip_last_error());
    return 1;
  }
  pthread_create(&thread, NULL, stop_later, &milliseconds);
  cleanclip_sanitize_options_init(&options, sizeof options);
  options.epochs = 10000;
  options.batch_size = 8;
  status = cleanclip_sanitize(model, tokenizer, pairs, &options, ask, &steps, NULL);
  atomic_store(&has_begun, 1);
  pthread_join(thread, NULL);
  printf("%s after %d steps\n", cleanclip_status_name(status), (int)steps);

  cleanclip_dataset_free(pairs);
  cleanclip_tokenizer_free(tokenizer);
  cleanclip_model_free(model);
  return status == CLEANCLIP_CANCELLED ? 0 : 1;
}
