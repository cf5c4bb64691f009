/**
 * @file cleanclip/export.h
 * @brief How functions of the library are declared.
 */
#ifndef CLEANCLIP_EXPORT_H
#define CLEANCLIP_EXPORT_H

#if defined(__GNUC__)
#define CLEANCLIP_API __attribute__((visibility("default")))
/** In front of a declaration that has a successor, which `message` names: compilers warn. */
#define CLEANCLIP_DEPRECATED(message) __attribute__((deprecated(message)))
#else
#define CLEANCLIP_API
#define CLEANCLIP_DEPRECATED(message)
#endif

#endif
