/**
 * @file cleanclip/export.h
 * @brief How functions of the library are declared.
 */
#ifndef CLEANCLIP_EXPORT_H
#define CLEANCLIP_EXPORT_H

#if defined(__GNUC__)
#define CLEANCLIP_API __attribute__((visibility("default")))
#else
#define CLEANCLIP_API
#endif

#endif
