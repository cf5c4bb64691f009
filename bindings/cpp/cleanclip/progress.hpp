/**
 * @file cleanclip/progress.hpp
 * @brief Functions that follow a call and may cancel it.
 *
 * Part of cleanclip.hpp, which programs include.
 */
#ifndef CLEANCLIP_PROGRESS_HPP
#define CLEANCLIP_PROGRESS_HPP

#include <cleanclip/sanitize.h>

#include <cstdint>
#include <exception>
#include <functional>

#include "data.hpp"

namespace cleanclip {

/** Called with how many of how many are done; returns false to cancel. */
using CountFunction = std::function<bool(std::int64_t done, std::int64_t total)>;

/** Called with progress; returns false to cancel. */
using ProgressFunction = std::function<bool(const cleanclip_progress &progress)>;

namespace detail {

/**
 * Carries a function, and what it or the dataset's function throws, around a C callback.
 *
 * The callback is given to the library also without a function: it ends the call when the dataset's
 * function has thrown.
 */
template <typename... Arguments>
class Listener {
 public:
  using Function = std::function<bool(Arguments...)>;

  Listener(const Function &function, const Dataset *dataset)
      : function_(function), dataset_(dataset) {}

  /** Throws what a function threw, or what the library reports. */
  void check(cleanclip_status status) const {
    // Taken also when it is not thrown: the next call must not find it.
    const std::exception_ptr pair = dataset_ == nullptr ? nullptr : dataset_->takeError();
    if (error_ != nullptr) std::rethrow_exception(error_);
    if (pair != nullptr) std::rethrow_exception(pair);
    cleanclip::check(status);
  }

  /** What a C callback returns. */
  std::int32_t call(Arguments... arguments) noexcept {
    if (dataset_ != nullptr && dataset_->hasThrown()) return 1;
    try {
      return function_ == nullptr || function_(arguments...) ? 0 : 1;
    } catch (...) {
      error_ = std::current_exception();
      return 1;
    }
  }

 private:
  const Function &function_;
  const Dataset *dataset_;
  std::exception_ptr error_;
};

using CountListener = Listener<std::int64_t, std::int64_t>;
using ProgressListener = Listener<const cleanclip_progress &>;

/** The cleanclip_count_callback of a CountListener. */
inline std::int32_t countCallback(std::int64_t done, std::int64_t total, void *listener) noexcept {
  return static_cast<CountListener *>(listener)->call(done, total);
}

/** The cleanclip_progress_callback of a ProgressListener. */
inline std::int32_t progressCallback(const cleanclip_progress *progress, void *listener) noexcept {
  return static_cast<ProgressListener *>(listener)->call(*progress);
}

}  // namespace detail

}  // namespace cleanclip

#endif
