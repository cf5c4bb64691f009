/* The pool of computing threads and its loops, compiled into the test. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ckernels.h"
#include "parallel.h"
#include "pool.h"

#define CHECK(condition)                                              \
  do {                                                                \
    if (!(condition)) {                                               \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
      exit(1);                                                        \
    }                                                                 \
  } while (0)

enum { ITEMS = 1000, COSTLY = 1 << 20, CALLERS = 4 };

typedef struct {
  int32_t counts[ITEMS];
  _Atomic int64_t total;
} tally;

static void count_items(void *context, int64_t begin, int64_t end, int32_t thread) {
  tally *t = context;
  CHECK(thread >= 0 && thread < ck_threads());
  for (int64_t i = begin; i < end; ++i) ++t->counts[i];
  atomic_fetch_add(&t->total, end - begin);
}

static void check_loop(int64_t count, int64_t cost) {
  tally t;
  memset(&t, 0, sizeof t);
  ck_parallel(count, cost, count_items, &t);
  CHECK(atomic_load(&t.total) == count);
  for (int64_t i = 0; i < ITEMS; ++i) CHECK(t.counts[i] == (i < count));
}

typedef struct {
  int32_t members, numbers[CK_MAXIMUM_THREADS], phase[CK_MAXIMUM_THREADS];
} team;

static void enter_team(void *context, int32_t number) {
  team *t = context;
  CHECK(ck_pool_membership().number == number);
  CHECK(ck_pool_membership().threads == t->members);
  ++t->numbers[number];
  for (int phase = 0; phase < 3; ++phase) {
    t->phase[number] = phase + 1;
    ck_pool_barrier();
    for (int i = 0; i < t->members; ++i) CHECK(t->phase[i] == phase + 1);
    ck_pool_barrier();
  }
}

static void check_team(int32_t members) {
  team t;
  memset(&t, 0, sizeof t);
  t.members = members;
  CHECK(ck_pool_reserve(members) == members);
  ck_pool_run_team(members, enter_team, &t);
  for (int i = 0; i < CK_MAXIMUM_THREADS; ++i) CHECK(t.numbers[i] == (i < members));
  CHECK(ck_pool_membership().threads == 0);
}

static void *call(void *rounds) {
  for (intptr_t round = 0; round < (intptr_t)rounds; ++round) {
    check_loop(1 + round % ITEMS, COSTLY);
    check_loop(ITEMS, 1);
    check_team(1 + (int32_t)(round % 4));
  }
  return NULL;
}

static void test_one_caller(void) { call((void *)2000); }

static void test_callers_take_turns(void) {
  pthread_t callers[CALLERS];
  for (int i = 0; i < CALLERS; ++i) CHECK(pthread_create(&callers[i], NULL, call, (void *)300) == 0);
  for (int i = 0; i < CALLERS; ++i) pthread_join(callers[i], NULL);
}

static void nest(void *context, int32_t number) {
  team inner = {.members = 1};
  (void)context;
  ck_pool_run_team(3, enter_team, &inner);
  CHECK(inner.numbers[0] == 1 && inner.numbers[1] == 0);
  check_loop(ITEMS, COSTLY);
  CHECK(ck_pool_membership().number == number && ck_pool_membership().threads == 3);
}

static void test_a_team_inside_of_a_team_has_one_member(void) { ck_pool_run_team(3, nest, NULL); }

static void test_a_child_of_fork_has_threads_again(void) {
  pid_t child = fork();
  int status;
  if (child == 0) {
    call((void *)50);
    _exit(0);
  }
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static double processor_seconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void test_waiting_threads_sleep(void) {
  struct timespec pause = {0, 20 * 1000 * 1000};
  double waiting = 0;
  for (int i = 0; i < 20; ++i) {
    check_loop(ITEMS, COSTLY);
    check_team(4);
    waiting -= processor_seconds();
    nanosleep(&pause, NULL);
    waiting += processor_seconds();
  }
  CHECK(waiting < 0.05); /* of 0.4 s and more */
}

int main(void) {
  ck_set_threads(4);
  test_one_caller();
  test_callers_take_turns();
  test_a_team_inside_of_a_team_has_one_member();
  test_a_child_of_fork_has_threads_again();
  test_waiting_threads_sleep();
  return 0;
}
