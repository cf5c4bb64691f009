#ifndef CK_PARALLEL_H
#define CK_PARALLEL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Work on items begin ..< end by the thread with this number.
typedef void (*ck_body)(void *context, int64_t begin, int64_t end, int32_t thread);

/// Divides `count` items evenly among the threads, in order; runs on the calling thread alone when
/// `cost`, roughly the elements touched, is too small for waking the others.
void ck_parallel(int64_t count, int64_t cost, ck_body body, void *context);

/// Gives the calling thread the number of OpenMP threads of ck_threads(), which OpenMP keeps for each
/// thread.
void ck_enter(void);


#ifdef __cplusplus
}
#endif

#endif
