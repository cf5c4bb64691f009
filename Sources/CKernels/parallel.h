#ifndef CK_PARALLEL_H
#define CK_PARALLEL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Work on items begin ..< end by the thread with this number.
typedef void (*ck_body)(void *context, int64_t begin, int64_t end, int32_t thread);

/// Divides `count` items among the threads, each of which gets `body` for several parts, one after
/// another; runs on the calling thread alone when `cost`, roughly the elements touched, is too small for
/// calling the others, and while another caller has them. What is computed must not depend on how
/// the items are divided.
void ck_parallel(int64_t count, int64_t cost, ck_body body, void *context);

#ifdef __cplusplus
}
#endif

#endif
