/**
 * @file cleanclip/version.h
 * @brief Version of the library.
 *
 * A program compares the CLEANCLIP_VERSION_NUMBER that it was compiled with with
 * cleanclip_version_number() of the library that it runs with.
 *
 * Part of cleanclip.h, which programs include.
 */
#ifndef CLEANCLIP_VERSION_H
#define CLEANCLIP_VERSION_H

#include <stdint.h>
#include "export.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Changes when programs must be compiled again, and the SONAME, libcleanclip.so.MAJOR, with it. */
#define CLEANCLIP_VERSION_MAJOR 0
/** Changes when something is added. */
#define CLEANCLIP_VERSION_MINOR 1
/** Changes when behaviour is repaired. */
#define CLEANCLIP_VERSION_PATCH 0
/** major * 1,000,000 + minor * 1,000 + patch. */
#define CLEANCLIP_VERSION_NUMBER \
  (CLEANCLIP_VERSION_MAJOR * 1000000 + CLEANCLIP_VERSION_MINOR * 1000 + CLEANCLIP_VERSION_PATCH)
/** The version as text. */
#define CLEANCLIP_VERSION_STRING "0.1.0"

/**
 * Returns the version of the library at run time.
 *
 * Compare with the CLEANCLIP_VERSION_NUMBER that the program was compiled with.
 */
CLEANCLIP_API uint32_t cleanclip_version_number(void);

/** Returns the version of the library as text, such as "0.1.0"; static memory. */
CLEANCLIP_API const char *cleanclip_version(void);

#ifdef __cplusplus
}
#endif

#endif
