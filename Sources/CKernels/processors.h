#ifndef CK_PROCESSORS_H
#define CK_PROCESSORS_H

#include <stdint.h>

/// The number of threads that the process should compute with: OMP_NUM_THREADS, the physical cores
/// of the processors that it may run on, or the quota of its control group rounded up, whichever is
/// least; at least 1.
int32_t ck_default_threads(void);

#endif
