#ifndef CK_POOL_H
#define CK_POOL_H

#include <stdint.h>

/// The process's computing threads: started when first needed, asleep while nothing is computed.
///
/// One caller has them at a time, as member 0 of its own team.

enum { CK_MAXIMUM_THREADS = 1024 };

/// The part of a member of a team.
typedef void (*ck_member)(void *context, int32_t number);

/// Makes sure that teams of this size can be formed; returns the largest that can.
int32_t ck_pool_reserve(int32_t threads);

/// Runs `member` once on each of `threads` threads, all at the same time; waits for its turn, and for
/// all of them. They were reserved. Inside of a team `member` runs once, as a team of its own.
void ck_pool_run_team(int32_t threads, ck_member member, void *context);

/// Runs `member` on the calling thread and on those of up to `threads` that come before it is done.
///
/// Returns 0, and runs nothing, while another caller has the pool. Not called inside of a team.
int32_t ck_pool_run_helped(int32_t threads, ck_member member, void *context);

/// Waits for all members of the team that the calling thread belongs to.
void ck_pool_barrier(void);

/// The member of a team that the calling thread is.
typedef struct {
  int32_t number;
  /// 0 outside of teams.
  int32_t threads;
} ck_membership;

ck_membership ck_pool_membership(void);

/// Forgets threads that fork left behind in the parent; called in the child.
void ck_pool_reset_after_fork(void);

#endif
