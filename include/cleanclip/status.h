/**
 * @file cleanclip/status.h
 * @brief Status codes and error messages.
 *
 * Every function that can fail returns a cleanclip_status; the message is in cleanclip_last_error().
 * Programs decide by the status, people read the message.
 *
 * Part of cleanclip.h, which programs include.
 */
#ifndef CLEANCLIP_STATUS_H
#define CLEANCLIP_STATUS_H

#include "export.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What became of a call. Values are frozen and never used again for something else. */
typedef enum cleanclip_status {
  CLEANCLIP_OK = 0,
  /** An argument is NULL, negative, out of range or contradicts another one. */
  CLEANCLIP_INVALID_ARGUMENT = 1,
  /** An array or a tensor has other dimensions than the model needs. */
  CLEANCLIP_SHAPE = 2,
  /** A file, a column, a name or a tokenizer is not there. */
  CLEANCLIP_NOT_FOUND = 3,
  /** The operating system failed to read or write. */
  CLEANCLIP_IO = 4,
  /** A file is broken or is not what its name says. */
  CLEANCLIP_FORMAT = 5,
  /** A file is valid but needs something that this version does not have. */
  CLEANCLIP_UNSUPPORTED = 6,
  /** The call does not fit the state that things are in: not a number in the loss, model in use. */
  CLEANCLIP_STATE = 7,
  /** The system has no memory for this. */
  CLEANCLIP_OUT_OF_MEMORY = 8,
  /** A callback asked to stop. */
  CLEANCLIP_CANCELLED = 9,
  /** An internal error; please report it with the text. */
  CLEANCLIP_INTERNAL = 10
} cleanclip_status;

/**
 * Returns the name of a status.
 *
 * @param[in] status Any value.
 * @return Static memory, such as "CLEANCLIP_NOT_FOUND"; "CLEANCLIP_UNKNOWN" for other values.
 */
CLEANCLIP_API const char *cleanclip_status_name(cleanclip_status status);

/**
 * Returns the text of the last failure on this thread.
 *
 * It reads `<what>: <what is wrong>; expected X, got Y[; <remedy>]`. The memory is valid until the
 * next call of a `cleanclip_` function on this thread. Never NULL; "" before the first failure,
 * without meaning after a success. Programs decide by the status, people read the text.
 */
CLEANCLIP_API const char *cleanclip_last_error(void);

#ifdef __cplusplus
}
#endif

#endif
