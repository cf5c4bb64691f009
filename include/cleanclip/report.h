/**
 * @file cleanclip/report.h
 * @brief Reports of a run.
 *
 * One self-contained HTML page, or JSON.
 *
 * @code{.c}
 * cleanclip_report_options options;
 * cleanclip_report_options_init(&options, sizeof options);
 * options.before = before;
 * options.after = after;
 * options.history = history;
 * cleanclip_report_write(&options, "report.html");
 * @endcode
 *
 * Part of cleanclip.h, which programs include.
 */
#ifndef CLEANCLIP_REPORT_H
#define CLEANCLIP_REPORT_H

#include <stddef.h>
#include <stdint.h>

#include "evaluate.h"
#include "model.h"
#include "sanitize.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What a report tells. */
typedef struct cleanclip_report_options {
  size_t struct_size;                        /**< Set by cleanclip_report_options_init(). */
  const char *title;                         /**< None by default (NULL): the library's. */
  const char *subtitle;                      /**< A line below it, such as which model and when; none
                                                  by default (NULL). */
  const cleanclip_model *model;              /**< Its architecture is described; none by default
                                                  (NULL). */
  const cleanclip_evaluation *before;        /**< Before sanitizing; none by default (NULL). */
  const cleanclip_evaluation *after;         /**< After it; none by default (NULL). */
  const cleanclip_evaluation *control;       /**< After another treatment, for comparison; none by
                                                  default (NULL). */
  const cleanclip_history *history;          /**< How the losses went; none by default (NULL). */
  const cleanclip_history *control_history;  /**< And that of the other treatment; none by default
                                                  (NULL). */
} cleanclip_report_options;

/** Writes the defaults; `struct_size` is `sizeof *options`. NULL does nothing. */
CLEANCLIP_API void cleanclip_report_options_init(cleanclip_report_options *options,
                                                 size_t struct_size);

/**
 * Writes a report: one self-contained page, or JSON.
 *
 * @param[in] options What it tells.
 * @param[in] path `.html` or `.json`.
 * @return CLEANCLIP_IO; CLEANCLIP_INVALID_ARGUMENT: another ending, a NULL.
 */
CLEANCLIP_API cleanclip_status cleanclip_report_write(const cleanclip_report_options *options,
                                                      const char *path);

#ifdef __cplusplus
}
#endif

#endif
