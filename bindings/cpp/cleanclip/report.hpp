/**
 * @file cleanclip/report.hpp
 * @brief Reports of a run.
 *
 * Part of cleanclip.hpp, which programs include.
 */
#ifndef CLEANCLIP_REPORT_HPP
#define CLEANCLIP_REPORT_HPP

#include <cleanclip/report.h>

#include <string>

#include "status.hpp"

namespace cleanclip {

/** cleanclip_report_options with its defaults. */
struct ReportOptions : cleanclip_report_options {
  ReportOptions() { cleanclip_report_options_init(this, sizeof(cleanclip_report_options)); }
};

/** Writes a report: `.html` or `.json`. */
inline void writeReport(const ReportOptions &options, const std::string &path) {
  check(cleanclip_report_write(&options, path.c_str()));
}

}  // namespace cleanclip

#endif
