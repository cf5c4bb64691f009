#ifndef CK_OPENMP_H
#define CK_OPENMP_H

#include "ckernels.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Lets the calling thread's calls of oneDNN, until ck_leave_onednn(), run on the process's pool with
/// up to ck_threads() threads. Nested calls are counted.
///
/// Unless it returns CK_OK there is nothing to leave, and `reason` says why.
ck_status ck_enter_onednn(const char **reason);
void ck_leave_onednn(void);

#ifdef __cplusplus
}
#endif

#endif
