#include "parallel.h"

#include <pthread.h>
#include <stdatomic.h>

#include "ckernels.h"
#include "pool.h"
#include "processors.h"

static _Atomic int32_t thread_count = 0;

/// What a call on this thread goes by from its beginning to its end.
static _Thread_local struct {
  int32_t depth, threads;
} call;

static pthread_rwlock_t fork_gate = PTHREAD_RWLOCK_INITIALIZER;

void ck_hold_fork(void) { pthread_rwlock_rdlock(&fork_gate); }
void ck_release_fork(void) { pthread_rwlock_unlock(&fork_gate); }

static void before_fork(void) { pthread_rwlock_wrlock(&fork_gate); }
static void after_fork_in_parent(void) { pthread_rwlock_unlock(&fork_gate); }

static void after_fork_in_child(void) {
  // Held by a thread number of the parent, and awaited by threads that are gone: a new one.
  fork_gate = (pthread_rwlock_t)PTHREAD_RWLOCK_INITIALIZER;
  ck_pool_reset_after_fork();
}

__attribute__((constructor)) static void watch_forks(void) {
  pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

static int32_t configured_threads(void) {
  int32_t count = atomic_load_explicit(&thread_count, memory_order_relaxed);
  if (count > 0) return count;
  int32_t expected = 0;
  atomic_compare_exchange_strong(&thread_count, &expected, ck_default_threads());
  return atomic_load(&thread_count);
}

int32_t ck_threads(void) { return call.depth > 0 ? call.threads : configured_threads(); }

void ck_set_threads(int32_t count) {
  if (count < 1) count = 1;
  atomic_store(&thread_count, count < CK_MAXIMUM_THREADS ? count : CK_MAXIMUM_THREADS);
}

void ck_begin_call(void) {
  if (call.depth++ == 0) call.threads = configured_threads();
}

void ck_end_call(void) { call.depth--; }

// The items of a thread, of which others take what it has not begun when they are done with theirs: a
// thread that the system has stopped, or not yet woken, holds nobody up.
typedef struct {
  _Alignas(64) _Atomic int64_t next;
  int64_t end;
} share;

typedef struct {
  ck_body body;
  void *context;
  int64_t chunk;
  int32_t threads;
  share *shares;
} loop;

static void run_chunks(void *context, int32_t number) {
  const loop *l = context;
  for (int32_t i = 0; i < l->threads; i++) {
    share *from = &l->shares[(number + i) % l->threads];
    for (;;) {
      int64_t begin = atomic_fetch_add_explicit(&from->next, l->chunk, memory_order_relaxed);
      if (begin >= from->end) break;
      int64_t end = begin + l->chunk < from->end ? begin + l->chunk : from->end;
      l->body(l->context, begin, end, number);
    }
  }
}

// Cost below which a loop stays on its thread. On a Zen 4 (medians of 1,001, two threads) calling another
// takes 12 us where that one sleeps and 0.4 us where it looks for work; adding this many floats takes 9 us.
enum { SERIAL_COST = 65536 };
// Chunks that a thread's items are cut into: one is what others may wait for.
enum { CHUNKS = 8 };

void ck_parallel(int64_t count, int64_t cost, ck_body body, void *context) {
  if (count <= 0) return;
  int32_t threads = ck_threads();
  if (threads > count) threads = (int32_t)count;
  if (threads > 1 && cost >= SERIAL_COST) threads = ck_pool_reserve(threads);
  if (threads > 1 && cost >= SERIAL_COST && ck_pool_membership().threads == 0) {
    share shares[threads];
    for (int64_t i = 0; i < threads; i++) {
      atomic_init(&shares[i].next, count * i / threads);
      shares[i].end = count * (i + 1) / threads;
    }
    int64_t chunk = (count / threads + CHUNKS - 1) / CHUNKS;
    loop l = {body, context, chunk, threads, shares};
    if (ck_pool_run_helped(threads, run_chunks, &l)) return;
  }
  body(context, 0, count, 0);
}
