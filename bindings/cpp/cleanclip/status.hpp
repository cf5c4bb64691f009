/**
 * @file cleanclip/status.hpp
 * @brief Failures as exceptions.
 *
 * Part of cleanclip.hpp, which programs include.
 */
#ifndef CLEANCLIP_STATUS_HPP
#define CLEANCLIP_STATUS_HPP

#include <cleanclip/status.h>

#include <stdexcept>
#include <string>

namespace cleanclip {

/** The name of a code, such as "CLEANCLIP_IO". */
inline const char *statusName(cleanclip_status status) noexcept {
  return cleanclip_status_name(status);
}

/** A failure that the library reports: its code and its text. */
class Error : public std::runtime_error {
 public:
  Error(cleanclip_status code, const std::string &message)
      : std::runtime_error(message), code_(code) {}

  /** The status that the C function returned. */
  cleanclip_status code() const noexcept { return code_; }

 private:
  cleanclip_status code_;
};

/** Throws what the last failure on this thread was, unless `status` is CLEANCLIP_OK. */
inline void check(cleanclip_status status) {
  if (status != CLEANCLIP_OK) throw Error(status, cleanclip_last_error());
}

}  // namespace cleanclip

#endif
