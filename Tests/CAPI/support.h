/* Checks, and the tiny model, vocabulary and pairs that the tests of the C interface share. */
#ifndef CLEANCLIP_TEST_SUPPORT_H
#define CLEANCLIP_TEST_SUPPORT_H

#include <cleanclip.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int failures = 0;

#define CHECK(condition)                                                              \
  do {                                                                                \
    if (!(condition)) {                                                               \
      ++failures;                                                                     \
      fprintf(stderr, "%s:%d: %s\n    last error: %s\n", __FILE__, __LINE__, #condition, \
              cleanclip_last_error());                                                \
    }                                                                                 \
  } while (0)

/* Checks a status and shows the one that came instead. */
#define CHECK_STATUS(expected, call)                                                   \
  do {                                                                                 \
    const cleanclip_status got = (call);                                               \
    if (got != (expected)) {                                                           \
      ++failures;                                                                      \
      fprintf(stderr, "%s:%d: %s\n    expected %s, got %s: %s\n", __FILE__, __LINE__, #call, \
              cleanclip_status_name(expected), cleanclip_status_name(got),             \
              cleanclip_last_error());                                                 \
    }                                                                                  \
  } while (0)

#define CHECK_OK(call) CHECK_STATUS(CLEANCLIP_OK, call)

/* Runs a test function and says its name. */
#define RUN(test)                                                      \
  do {                                                                 \
    const int before = failures;                                       \
    test();                                                            \
    printf("%s %s\n", failures == before ? "ok  " : "FAIL", #test);    \
    fflush(stdout);                                                    \
  } while (0)

/* Returns the exit code of a test program. */
static inline int finish(void) {
  if (failures > 0) fprintf(stderr, "%d checks failed\n", failures);
  return failures > 0 ? 1 : 0;
}

/* A Vision Transformer of 32 x 32 pixels with patches of 8, features of 16 numbers. */
static const char *const tiny_architecture =
    "{\"embed_dim\": 16, \"quick_gelu\": true,"
    " \"vision_cfg\": {\"image_size\": 32, \"layers\": 2, \"width\": 32, \"head_width\": 16,"
    "                \"patch_size\": 8},"
    " \"text_cfg\": {\"context_length\": 16, \"vocab_size\": 520, \"width\": 24, \"heads\": 2,"
    "              \"layers\": 2}}";

enum { TINY_EMBED_DIM = 16, TINY_IMAGE_SIZE = 32, TINY_CONTEXT = 16, TINY_VOCABULARY = 520 };

/* A folder for the files of this process, made at first use. */
static inline const char *scratch_folder(void) {
  static char folder[] = "/tmp/cleanclip-test-XXXXXX";
  static int is_made = 0;
  if (!is_made) {
    if (mkdtemp(folder) == NULL) abort();
    is_made = 1;
  }
  return folder;
}

/* The path of a file in the scratch folder; one of four rotating buffers. */
static inline const char *scratch(const char *name) {
  static char paths[4][256];
  static int next = 0;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", scratch_folder(), name);
  return path;
}

static inline void remove_scratch(void) {
  char command[300];
  snprintf(command, sizeof command, "rm -rf '%s'", scratch_folder());
  if (system(command) != 0) fprintf(stderr, "cannot remove %s\n", scratch_folder());
}

static inline void write_file(const char *path, const char *content) {
  FILE *file = fopen(path, "wb");
  if (file == NULL) abort();
  fputs(content, file);
  fclose(file);
}

/* A vocabulary of 518 ids in OpenAI's form: bytes, four merges, start and end. */
static inline const char *tiny_vocabulary(void) {
  const char *path = scratch("vocabulary.txt");
  write_file(path, "#version: 0.2\nr e\nre d</w>\nb l\no x</w>\n");
  return path;
}

static inline cleanclip_model *tiny_model(uint64_t seed) {
  cleanclip_model *model = NULL;
  CHECK_OK(cleanclip_model_create(tiny_architecture, seed, &model));
  return model;
}

static inline cleanclip_tokenizer *tiny_tokenizer(void) {
  cleanclip_tokenizer *tokenizer = NULL;
  CHECK_OK(cleanclip_tokenizer_load(tiny_vocabulary(), &tokenizer));
  return tokenizer;
}

enum { PAIR_WIDTH = 40, PAIR_HEIGHT = 36 };

/* What hand_over_pair() gives away. */
typedef struct pair_source {
  uint8_t pixels[PAIR_WIDTH * PAIR_HEIGHT * 3];
  char caption[64];
  int64_t calls;
  int64_t broken_index; /* This pair does not exist; -1 for none. */
} pair_source;

/* An image of one of four colours with stripes, and a caption of it. */
static inline int32_t hand_over_pair(int64_t index, cleanclip_pair *pair, void *user_data) {
  static const char *const names[4] = {"red", "green", "blue", "black"};
  pair_source *source = (pair_source *)user_data;
  const int kind = (int)(index % 4);
  int i;
  ++source->calls;
  if (index == source->broken_index) return 1;
  for (i = 0; i < PAIR_WIDTH * PAIR_HEIGHT * 3; ++i) {
    const int stripe = ((i / 3 + (int)index) / 5) % 2;
    source->pixels[i] = (uint8_t)(i % 3 == kind ? 220 - 40 * stripe : 20 + 30 * stripe);
  }
  snprintf(source->caption, sizeof source->caption, "a %s box number %d", names[kind], (int)index);
  pair->image = source->pixels;
  pair->image_byte_count = sizeof source->pixels;
  pair->width = PAIR_WIDTH;
  pair->height = PAIR_HEIGHT;
  pair->caption = source->caption;
  pair->label = kind;
  pair->has_label = 1;
  return 0;
}

static inline cleanclip_dataset *tiny_dataset(pair_source *source, int64_t count) {
  cleanclip_dataset *dataset = NULL;
  memset(source, 0, sizeof *source);
  source->broken_index = -1;
  CHECK_OK(cleanclip_dataset_create(count, hand_over_pair, source, &dataset));
  return dataset;
}

#endif
