#include "parallel.h"

#include <pthread.h>
#include <stdatomic.h>

#include "ckernels.h"
#include "processors.h"

// libgomp's own entry points: the compiler that builds this file has no OpenMP run time, and
// oneDNN's threads come from libgomp, so that both take turns with one pool.
extern void GOMP_parallel(void (*body)(void *), void *data, unsigned threads, unsigned flags);
extern int omp_get_thread_num(void);
extern int omp_get_num_threads(void);
extern int omp_get_max_threads(void);
extern int omp_in_parallel(void);
extern void omp_set_num_threads(int);

static _Atomic int32_t thread_count = 0;

/// What a call on this thread goes by from its beginning to its end.
static _Thread_local struct {
  int32_t depth, threads, host_threads;
} call;

static _Atomic int32_t has_pool = 0;
/// The process is the child of one whose pool had threads: fork copies the pool's memory but not its
/// threads, and who enters it waits for them forever.
static _Atomic int32_t lost_pool = 0;

static pthread_rwlock_t fork_gate = PTHREAD_RWLOCK_INITIALIZER;

void ck_hold_fork(void) { pthread_rwlock_rdlock(&fork_gate); }
void ck_release_fork(void) { pthread_rwlock_unlock(&fork_gate); }

static void before_fork(void) { pthread_rwlock_wrlock(&fork_gate); }
static void after_fork_in_parent(void) { pthread_rwlock_unlock(&fork_gate); }

static void after_fork_in_child(void) {
  // Held by a thread number of the parent, and awaited by threads that are gone: a new one.
  fork_gate = (pthread_rwlock_t)PTHREAD_RWLOCK_INITIALIZER;
  if (!atomic_load(&has_pool)) return;
  atomic_store(&lost_pool, 1);
  call.threads = 1;
}

__attribute__((constructor)) static void watch_forks(void) {
  pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

static int32_t configured_threads(void) {
  if (atomic_load_explicit(&lost_pool, memory_order_relaxed)) return 1;
  int32_t count = atomic_load_explicit(&thread_count, memory_order_relaxed);
  if (count > 0) return count;
  int32_t expected = 0;
  atomic_compare_exchange_strong(&thread_count, &expected, ck_default_threads());
  return atomic_load(&thread_count);
}

int32_t ck_threads(void) { return call.depth > 0 ? call.threads : configured_threads(); }

void ck_set_threads(int32_t count) { atomic_store(&thread_count, count > 0 ? count : 1); }

void ck_begin_call(void) {
  if (call.depth++ > 0) return;
  call.threads = configured_threads();
  call.host_threads = omp_get_max_threads();
}

void ck_end_call(void) {
  if (--call.depth > 0) return;
  if (omp_get_max_threads() != call.host_threads) omp_set_num_threads(call.host_threads);
}

void ck_enter(void) {
  int32_t count = ck_threads();
  if (count > 1) atomic_store_explicit(&has_pool, 1, memory_order_relaxed);
  if (omp_get_max_threads() != count) omp_set_num_threads(count);
}

typedef struct {
  int64_t count;
  ck_body body;
  void *context;
} job;

static void run(void *data) {
  const job *work = data;
  int64_t threads = omp_get_num_threads(), thread = omp_get_thread_num();
  int64_t begin = work->count * thread / threads, end = work->count * (thread + 1) / threads;
  if (begin < end) work->body(work->context, begin, end, (int32_t)thread);
}

// Cost below which a loop stays on its thread. Entering a pool of two threads takes 0.9 us on a
// Zen 4, this many vector operations on data in the first-level cache 0.6 us.
enum { SERIAL_COST = 16384 };

void ck_parallel(int64_t count, int64_t cost, ck_body body, void *context) {
  if (count <= 0) return;
  int64_t threads = ck_threads();
  if (threads > count) threads = count;
  if (threads == 1 || cost < SERIAL_COST || omp_in_parallel()) {
    body(context, 0, count, 0);
    return;
  }
  atomic_store_explicit(&has_pool, 1, memory_order_relaxed);
  job work = {count, body, context};
  GOMP_parallel(run, &work, (unsigned)threads, 0);
}
