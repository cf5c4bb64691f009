#define _GNU_SOURCE
#include "pool.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// A number that one thread changes and others wait for. Who waits looks at it for some microseconds,
// and sleeps then.
typedef struct {
  _Atomic uint32_t value, sleepers;
} event;

// The gaps between operations last 5 to 50 us, and a sleeper takes as long to wake. So the time that a
// thread looks grows while that was enough, and shrinks where the processors are busy with
// other work and it was not.
enum { LEAST_PATIENCE = 5000, MOST_PATIENCE = 80000, LOOKS_PER_CLOCK = 16 };
static _Thread_local int64_t patience = MOST_PATIENCE;  // nanoseconds

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/// Waits until the number is another one.
static void await(event *e, uint32_t old) {
  int64_t end = 0, time;
  do {
    for (int i = 0; i < LOOKS_PER_CLOCK; i++) {
      if (atomic_load_explicit(&e->value, memory_order_acquire) == old) {
        __builtin_ia32_pause();
      } else {
        if (end != 0 && patience < MOST_PATIENCE) patience *= 2;
        return;
      }
    }
    time = now();
    if (end == 0) end = time + patience;
  } while (time < end);
  if (patience > LEAST_PATIENCE) patience /= 2;
  // Either this thread finds the new number, or who changes it finds a sleeper.
  atomic_fetch_add(&e->sleepers, 1);
  while (atomic_load(&e->value) == old) {
    syscall(SYS_futex, &e->value, FUTEX_WAIT_PRIVATE, old, NULL, NULL, 0);
  }
  atomic_fetch_sub(&e->sleepers, 1);
}

static void change(event *e, uint32_t value) {
  atomic_store(&e->value, value);
  if (atomic_load(&e->sleepers) > 0) {
    syscall(SYS_futex, &e->value, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
  }
}

typedef struct {
  /// The region that the worker is to join; 0 at first, which is none.
  _Alignas(64) event call;
} worker;

// The state of a region: its number in the upper half, below it the members at work.
enum { NUMBER_SHIFT = 32 };
static const uint64_t TEAM = 1u << 31;  // all its members are counted from the beginning
static const uint64_t OPEN = 1u << 30;  // workers may still join
static const uint64_t MEMBERS = (1u << 30) - 1;

static struct {
  /// Callers take turns in the order in which they came.
  _Alignas(64) _Atomic uint32_t next_turn;
  event turn;
  // Written by the caller whose turn it is, while no worker is a member.
  ck_member member;
  void *context;
  int32_t threads;
  uint32_t number;
  _Alignas(64) _Atomic uint64_t state;
  event done;
  _Alignas(64) _Atomic uint32_t arrived;
  event barrier;
  _Atomic int32_t workers;
  worker all[CK_MAXIMUM_THREADS - 1];
} pool;

static _Thread_local ck_membership membership;

ck_membership ck_pool_membership(void) { return membership; }

static void run_as(ck_membership inner, ck_member member, void *context) {
  ck_membership outer = membership;
  membership = inner;
  member(context, inner.number);
  membership = outer;
}

static void run_share(int32_t number) {
  run_as((ck_membership){number, pool.threads}, pool.member, pool.context);
}

/// Whether the calling worker is a member of a region; not when it comes too late.
static int join(uint32_t number) {
  uint64_t state = atomic_load_explicit(&pool.state, memory_order_acquire);
  while (state >> NUMBER_SHIFT == number) {
    if (state & TEAM) return 1;
    if (!(state & OPEN)) return 0;
    if (atomic_compare_exchange_weak_explicit(
            &pool.state, &state, state + 1, memory_order_acq_rel, memory_order_acquire)) {
      return 1;
    }
  }
  return 0;
}

static void leave(uint32_t number) {
  uint64_t state = atomic_fetch_sub_explicit(&pool.state, 1, memory_order_acq_rel) - 1;
  if (!(state & OPEN) && (state & MEMBERS) == 0) change(&pool.done, number);
}

static void *work(void *argument) {
  int32_t index = (int32_t)(intptr_t)argument;
  uint32_t number = 0;
  for (;;) {
    await(&pool.all[index].call, number);
    number = atomic_load_explicit(&pool.all[index].call.value, memory_order_acquire);
    if (!join(number)) continue;
    run_share(index + 1);
    leave(number);
  }
  return NULL;
}

static uint32_t await_turn(void) {
  uint32_t turn = atomic_fetch_add(&pool.next_turn, 1), current;
  while ((current = atomic_load(&pool.turn.value)) != turn) await(&pool.turn, current);
  return turn;
}

static void end_turn(uint32_t turn) { change(&pool.turn, turn + 1); }

int32_t ck_pool_reserve(int32_t threads) {
  if (threads > CK_MAXIMUM_THREADS) threads = CK_MAXIMUM_THREADS;
  if (threads - 1 <= atomic_load_explicit(&pool.workers, memory_order_acquire)) return threads;
  uint32_t turn = await_turn();
  int32_t workers = atomic_load(&pool.workers);
  // The host's signals are for its own threads.
  sigset_t every, host;
  sigfillset(&every);
  pthread_sigmask(SIG_SETMASK, &every, &host);
  for (; workers < threads - 1; workers++) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, (void *)(intptr_t)workers) != 0) break;
    pthread_setname_np(thread, "cleanclip");
    pthread_detach(thread);
  }
  pthread_sigmask(SIG_SETMASK, &host, NULL);
  atomic_store_explicit(&pool.workers, workers, memory_order_release);
  end_turn(turn);
  return workers + 1 < threads ? workers + 1 : threads;
}

/// Calls the workers to a region.
static void begin(uint64_t kind, int32_t threads, ck_member member, void *context) {
  if (++pool.number == 0) pool.number = 1;
  pool.member = member;
  pool.context = context;
  pool.threads = threads;
  uint64_t members = kind == TEAM ? (uint64_t)threads - 1 : 0;
  atomic_store(&pool.state, (uint64_t)pool.number << NUMBER_SHIFT | kind | members);
  for (int32_t i = 0; i < threads - 1; i++) change(&pool.all[i].call, pool.number);
}

void ck_pool_run_team(int32_t threads, ck_member member, void *context) {
  if (threads == 1 || membership.threads > 0) {
    run_as((ck_membership){0, 1}, member, context);
    return;
  }
  uint32_t turn = await_turn(), before = atomic_load(&pool.done.value);
  begin(TEAM, threads, member, context);
  run_share(0);
  await(&pool.done, before);
  end_turn(turn);
}

int32_t ck_pool_run_helped(int32_t threads, ck_member member, void *context) {
  uint32_t turn = atomic_load(&pool.turn.value), free = turn;
  if (!atomic_compare_exchange_strong(&pool.next_turn, &free, turn + 1)) return 0;
  uint32_t before = atomic_load(&pool.done.value);
  begin(OPEN, threads, member, context);
  run_share(0);
  if (atomic_fetch_and(&pool.state, ~OPEN) & MEMBERS) await(&pool.done, before);
  end_turn(turn);
  return 1;
}

void ck_pool_barrier(void) {
  if (membership.threads == 1) return;
  uint32_t before = atomic_load(&pool.barrier.value);
  if (atomic_fetch_add(&pool.arrived, 1) + 1 == (uint32_t)pool.threads) {
    atomic_store(&pool.arrived, 0);
    change(&pool.barrier, before + 1);
  } else {
    await(&pool.barrier, before);
  }
}

void ck_pool_reset_after_fork(void) { memset(&pool, 0, sizeof pool); }
