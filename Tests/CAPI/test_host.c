/* The host's process: fork, threads that change settings, OpenMP's own settings, default threads. */
#include "support.h"

#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { IMAGES = 64 };

static float inputs[IMAGES * 3 * TINY_IMAGE_SIZE * TINY_IMAGE_SIZE];

static int encode(const cleanclip_model *model, float *features) {
  size_t i;
  for (i = 0; i < sizeof inputs / sizeof *inputs; ++i) inputs[i] = (float)(i % 23) / 11 - 1;
  return cleanclip_model_encode_image_inputs(
             model, inputs, IMAGES, NULL, features, IMAGES * TINY_EMBED_DIM) == CLEANCLIP_OK;
}

static int close_to(const float *a, const float *b) {
  int i;
  for (i = 0; i < IMAGES * TINY_EMBED_DIM; ++i) {
    float difference = a[i] - b[i];
    if (!(difference < 1e-5f && difference > -1e-5f)) return 0;
  }
  return 1;
}

/* Runs a body in a child that must end well within half a minute. */
static int succeeds_in_a_child(int (*body)(void *), void *context) {
  int status = -1, tenths;
  pid_t child = fork();
  if (child == 0) _exit(body(context) ? 0 : 1);
  for (tenths = 0; tenths < 300; ++tenths) {
    if (waitpid(child, &status, WNOHANG) == child) return WIFEXITED(status) && WEXITSTATUS(status) == 0;
    usleep(100000);
  }
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  return 0;
}

typedef struct expectation {
  const cleanclip_model *model;
  float *features;
} expectation;

static int gives_the_same_features(void *context) {
  const expectation *expected = (const expectation *)context;
  static float features[IMAGES * TINY_EMBED_DIM];
  cleanclip_model *own = NULL;
  if (!encode(expected->model, features) || !close_to(features, expected->features)) return 0;
  if (cleanclip_num_threads() != 2) return 0;
  /* Memory, files and models of its own work as well. */
  if (cleanclip_model_create(tiny_architecture, 5, &own) != CLEANCLIP_OK) return 0;
  if (!encode(own, features)) return 0;
  cleanclip_model_free(own);
  return 1;
}

static void test_a_child_of_fork_computes(void) {
  static float features[IMAGES * TINY_EMBED_DIM];
  cleanclip_model *model = tiny_model(3);
  expectation expected;
  CHECK_OK(cleanclip_set_num_threads(2));
  CHECK(encode(model, features));
  expected.model = model;
  expected.features = features;
  CHECK(succeeds_in_a_child(gives_the_same_features, &expected));
  CHECK(encode(model, features)); /* The parent goes on as before. */
  CHECK(cleanclip_num_threads() == 2);
  CHECK_OK(cleanclip_set_num_threads(0));
  cleanclip_model_free(model);
}

static atomic_int is_running;

static void *encode_all_the_time(void *model) {
  static float features[IMAGES * TINY_EMBED_DIM];
  while (atomic_load(&is_running)) encode((const cleanclip_model *)model, features);
  return NULL;
}

static void test_a_child_of_fork_computes_while_threads_of_the_parent_did(void) {
  static float features[IMAGES * TINY_EMBED_DIM];
  cleanclip_model *model = tiny_model(3);
  pthread_t thread;
  expectation expected;
  int round;
  CHECK_OK(cleanclip_set_num_threads(2));
  CHECK(encode(model, features));
  expected.model = model;
  expected.features = features;
  atomic_store(&is_running, 1);
  CHECK(pthread_create(&thread, NULL, encode_all_the_time, model) == 0);
  for (round = 0; round < 10; ++round) CHECK(succeeds_in_a_child(gives_the_same_features, &expected));
  atomic_store(&is_running, 0);
  pthread_join(thread, NULL);
  CHECK_OK(cleanclip_set_num_threads(0));
  cleanclip_model_free(model);
}

static void *change_threads_all_the_time(void *unused) {
  int32_t count = 0;
  (void)unused;
  while (atomic_load(&is_running)) cleanclip_set_num_threads(1 + count++ % 8);
  return NULL;
}

static void test_threads_may_be_set_while_others_compute(void) {
  static float expected[IMAGES * TINY_EMBED_DIM], features[IMAGES * TINY_EMBED_DIM];
  cleanclip_model *model = tiny_model(4);
  pthread_t thread;
  int round;
  CHECK(encode(model, expected));
  atomic_store(&is_running, 1);
  CHECK(pthread_create(&thread, NULL, change_threads_all_the_time, NULL) == 0);
  for (round = 0; round < 200; ++round) {
    CHECK(encode(model, features));
    CHECK(close_to(features, expected));
  }
  atomic_store(&is_running, 0);
  pthread_join(thread, NULL);
  CHECK_OK(cleanclip_set_num_threads(0));
  cleanclip_model_free(model);
}

static void test_the_hosts_openmp_setting_stays(void) {
  static float features[IMAGES * TINY_EMBED_DIM];
  int (*max_threads)(void) = NULL;
  void (*set_threads)(int) = NULL;
  void *library = dlopen("libgomp.so.1", RTLD_NOW);
  cleanclip_model *model = tiny_model(4);
  CHECK(library != NULL);
  *(void **)&max_threads = dlsym(library, "omp_get_max_threads");
  *(void **)&set_threads = dlsym(library, "omp_set_num_threads");
  set_threads(7);
  CHECK_OK(cleanclip_set_num_threads(2));
  CHECK(encode(model, features));
  CHECK(max_threads() == 7);
  CHECK_OK(cleanclip_set_num_threads(0));
  cleanclip_model_free(model);
}

/* Threads of this process. */
static int count_tasks(void) {
  DIR *folder = opendir("/proc/self/task");
  int count = 0;
  while (folder && readdir(folder)) ++count;
  if (folder) closedir(folder);
  return count;
}

typedef int sgemm(
    char, char, int64_t, int64_t, int64_t, float, const float *, int64_t, const float *, int64_t, float,
    float *, int64_t);

/* A host that computes with the same oneDNN does so with its own OpenMP's threads, also meanwhile. */
static void test_the_hosts_onednn_keeps_its_threads(void) {
  enum { SIZE = 512 };
  static float ones[SIZE * SIZE], product[SIZE * SIZE];
  cleanclip_model *model = tiny_model(4);
  void (*set_threads)(int) = NULL;
  sgemm *multiply = NULL;
  pthread_t thread;
  int round, before, i, wrong = 0;
  *(void **)&multiply = dlsym(RTLD_DEFAULT, "dnnl_sgemm");
  *(void **)&set_threads = dlsym(dlopen("libgomp.so.1", RTLD_NOW), "omp_set_num_threads");
  CHECK(multiply != NULL && set_threads != NULL);
  if (multiply == NULL || set_threads == NULL) return;
  for (i = 0; i < SIZE * SIZE; ++i) ones[i] = 1;
  atomic_store(&is_running, 1);
  CHECK(pthread_create(&thread, NULL, encode_all_the_time, model) == 0);
  usleep(50000);
  set_threads(4);
  before = count_tasks();
  for (round = 0; round < 20; ++round) {
    CHECK(multiply('N', 'N', SIZE, SIZE, SIZE, 1, ones, SIZE, ones, SIZE, 0, product, SIZE) == 0);
    for (i = 0; i < SIZE * SIZE; ++i) wrong += product[i] != SIZE;
  }
  CHECK(wrong == 0);
  CHECK(count_tasks() == before + 3);
  atomic_store(&is_running, 0);
  pthread_join(thread, NULL);
  cleanclip_model_free(model);
}

static double processor_seconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Threads that have nothing to do leave the processors to the host. */
static void test_waiting_threads_sleep(void) {
  static float features[IMAGES * TINY_EMBED_DIM];
  const struct timespec pause = {0, 20000000};
  cleanclip_model *model = tiny_model(4);
  double waiting = 0;
  int round;
  CHECK_OK(cleanclip_set_num_threads(2));
  for (round = 0; round < 60; ++round) {
    CHECK(encode(model, features));
    waiting -= processor_seconds();
    nanosleep(&pause, NULL);
    waiting += processor_seconds();
  }
  CHECK(waiting < 0.06); /* of 1.2 s and more */
  CHECK_OK(cleanclip_set_num_threads(0));
  cleanclip_model_free(model);
}

static void test_sizes_of_structs_that_cut_members_are_refused(void) {
  static float features[IMAGES * TINY_EMBED_DIM];
  cleanclip_model *model = tiny_model(4);
  cleanclip_encode_options options;
  size_t size;
  cleanclip_encode_options_init(&options, sizeof options);
  for (size = 0; size < 2 * sizeof options; ++size) {
    cleanclip_status status;
    options.struct_size = size;
    status = cleanclip_model_encode_image_inputs(
        model, inputs, 1, &options, features, IMAGES * TINY_EMBED_DIM);
    CHECK(status == (size >= 8 && size % 8 == 0 ? CLEANCLIP_OK : CLEANCLIP_INVALID_ARGUMENT));
  }
  cleanclip_model_free(model);
}

/* Starts this program again under a setting and returns the threads that it computes with. */
static int threads_with(const char *program, const char *omp, int processors) {
  int pipe_ends[2], threads = -1;
  char text[16] = "";
  pid_t child;
  if (pipe(pipe_ends) != 0) return -1;
  child = fork();
  if (child == 0) {
    if (omp) setenv("OMP_NUM_THREADS", omp, 1);
    else unsetenv("OMP_NUM_THREADS");
    if (processors == 1) {
      cpu_set_t all, one;
      int i = 0;
      sched_getaffinity(0, sizeof all, &all);
      while (!CPU_ISSET(i, &all)) ++i;
      CPU_ZERO(&one);
      CPU_SET(i, &one);
      sched_setaffinity(0, sizeof one, &one);
    }
    dup2(pipe_ends[1], 1);
    execl(program, program, "--threads", (char *)NULL);
    _exit(1);
  }
  close(pipe_ends[1]);
  if (read(pipe_ends[0], text, sizeof text - 1) > 0) threads = atoi(text);
  close(pipe_ends[0]);
  waitpid(child, NULL, 0);
  return threads;
}

static const char *program;

static void test_default_threads_follow_what_the_process_may_use(void) {
  const int all = threads_with(program, NULL, 0);
  CHECK(all >= 1);
  CHECK(threads_with(program, NULL, 1) == 1);
  CHECK(threads_with(program, "1", 0) == 1);
  CHECK(threads_with(program, "4096", 0) == all);
  CHECK(threads_with(program, "nonsense", 0) == all);
}

int main(int count, char **arguments) {
  program = arguments[0];
  if (count > 1 && strcmp(arguments[1], "--threads") == 0) {
    printf("%d", cleanclip_num_threads());
    return 0;
  }
  RUN(test_a_child_of_fork_computes);
  RUN(test_a_child_of_fork_computes_while_threads_of_the_parent_did);
  RUN(test_threads_may_be_set_while_others_compute);
  RUN(test_the_hosts_openmp_setting_stays);
  RUN(test_the_hosts_onednn_keeps_its_threads);
  RUN(test_waiting_threads_sleep);
  RUN(test_sizes_of_structs_that_cut_members_are_refused);
  RUN(test_default_threads_follow_what_the_process_may_use);
  remove_scratch();
  return finish();
}
