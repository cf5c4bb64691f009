/**
 * @file cleanclip/computing.h
 * @brief Threads, precision, memory, log and progress.
 *
 * What concerns the whole process: how many threads compute, which element type activations have, how
 * much memory tensors take, and who is called with warnings.
 *
 * Part of cleanclip.h, which programs include.
 */
#ifndef CLEANCLIP_COMPUTING_H
#define CLEANCLIP_COMPUTING_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Sets how many threads computation uses, in the whole process.
 *
 * The default is the number of physical cores that the process may run on, the quota of its control group
 * (rounded up) or OMP_NUM_THREADS, whichever is least. There is one pool of threads a process, which
 * sleep while nothing is computed; a child of fork starts its own. The same seed, threads, machine and precision give the same result, bit by bit; another number
 * of threads may round differently.
 *
 * @param[in] count 1 … 1024; 0 restores the default.
 * @return CLEANCLIP_OK or CLEANCLIP_INVALID_ARGUMENT.
 */
CLEANCLIP_API cleanclip_status cleanclip_set_num_threads(int32_t count);

/** Returns how many threads computation uses. */
CLEANCLIP_API int32_t cleanclip_num_threads(void);

/** The element type of activations. Weights, gradients and features are always f32. */
typedef enum cleanclip_precision {
  /** bf16 where the processor multiplies it in hardware, otherwise f32. */
  CLEANCLIP_PRECISION_AUTO = 0,
  /** Single precision: the reference. */
  CLEANCLIP_PRECISION_F32 = 1,
  /** bfloat16 with f32 accumulation; several times faster with AMX or AVX512-BF16. */
  CLEANCLIP_PRECISION_BF16 = 2
} cleanclip_precision;

/** Returns how many bytes of tensors are alive in the process. */
CLEANCLIP_API int64_t cleanclip_memory_in_use(void);

/** Returns the highest cleanclip_memory_in_use() so far. */
CLEANCLIP_API int64_t cleanclip_memory_peak(void);

/** Gives memory that is kept for later tensors back to the system. */
CLEANCLIP_API void cleanclip_memory_trim(void);

/** How much a message matters. Later versions may add values, which come between or above these. */
typedef enum cleanclip_severity {
  /** What a long call is doing and has found. */
  CLEANCLIP_SEVERITY_INFO = 20,
  /** What the result may depend on: rows of a dataset that are left out and why, alpha channels that hide
      another image, synonyms that are not installed. */
  CLEANCLIP_SEVERITY_WARNING = 30
} cleanclip_severity;

/**
 * Is called with what the library has to say.
 *
 * Called on the thread that called the function which has something to say.
 *
 * @param[in] severity A cleanclip_severity; compare with `>=`, because there may be others.
 * @param[in] message Lives for the duration of the call.
 * @param[in] user_data As it was given to cleanclip_set_message_callback().
 */
typedef void (*cleanclip_message_callback)(int32_t severity, const char *message,
                                           void *user_data);

/**
 * Sets who is called with messages, in the whole process, in place of who was before; at first, none is.
 *
 * A call that runs on another thread may still use the callback that was set before.
 *
 * @param[in] callback NULL: none.
 * @param[in] user_data Passed to the callback; may be NULL.
 */
CLEANCLIP_API void cleanclip_set_message_callback(cleanclip_message_callback callback,
                                                  void *user_data);

/**
 * Is called with messages of every severity.
 *
 * @param[in] message Lives for the duration of the call.
 * @param[in] user_data As it was given to cleanclip_set_log_callback().
 */
typedef void (*cleanclip_log_callback)(const char *message, void *user_data);

/**
 * Sets who is called with messages, as cleanclip_set_message_callback() does, which tells how much they matter.
 *
 * @param[in] callback NULL: none.
 * @param[in] user_data Passed to the callback; may be NULL.
 */
CLEANCLIP_DEPRECATED("use cleanclip_set_message_callback()")
CLEANCLIP_API void cleanclip_set_log_callback(cleanclip_log_callback callback, void *user_data);

/**
 * Is asked now and then, by functions without a progress callback that load, save and encode.
 *
 * @param[in] user_data As it was given to cleanclip_set_poll_callback().
 * @return 0 to continue; anything else ends the call with CLEANCLIP_CANCELLED: nothing was loaded, and
 *   no file has changed.
 */
typedef int32_t (*cleanclip_poll_callback)(void *user_data);

/**
 * Sets who is asked whether to continue, for calls of this thread; at first, none is.
 *
 * Saved states of training and checks are written in calls with a progress callback and ask as well:
 * set it for the calls that it is meant for, and none behind them.
 *
 * @param[in] callback NULL: none.
 * @param[in] user_data Passed to the callback; may be NULL.
 */
CLEANCLIP_API void cleanclip_set_poll_callback(cleanclip_poll_callback callback, void *user_data);

/**
 * Is called with how many images of how many are done, on the thread that called the function.
 *
 * @param[in] done Images, pairs or steps that are done.
 * @param[in] total All of them.
 * @param[in] user_data As it was given with the callback.
 * @return 0 to continue; anything else cancels.
 */
typedef int32_t (*cleanclip_count_callback)(int64_t done, int64_t total, void *user_data);

#ifdef __cplusplus
}
#endif

#endif
