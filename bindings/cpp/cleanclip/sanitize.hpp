/**
 * @file cleanclip/sanitize.hpp
 * @brief Sanitizing: fine-tuning that removes a backdoor.
 *
 * Part of cleanclip.hpp, which programs include.
 */
#ifndef CLEANCLIP_SANITIZE_HPP
#define CLEANCLIP_SANITIZE_HPP

#include <cleanclip/sanitize.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>

#include "communicator.hpp"
#include "data.hpp"
#include "handle.hpp"
#include "model.hpp"
#include "progress.hpp"
#include "tokenizer.hpp"

namespace cleanclip {

/** cleanclip_sanitize_options with its defaults. */
struct SanitizeOptions : cleanclip_sanitize_options {
  SanitizeOptions() { cleanclip_sanitize_options_init(this, sizeof(cleanclip_sanitize_options)); }
};

/** What happened in each step of a run. */
class History {
 public:
  /** Takes a handle over. */
  explicit History(cleanclip_history *handle) : handle_(handle) {}

  std::int64_t size() const { return cleanclip_history_count(get()); }

  cleanclip_progress operator[](std::int64_t index) const {
    cleanclip_progress progress;
    cleanclip_progress_init(&progress, sizeof progress);
    check(cleanclip_history_step(get(), index, &progress));
    return progress;
  }

  std::string json() const {
    return detail::text([this](char *out, std::size_t capacity, std::size_t *length) {
      return cleanclip_history_json(get(), out, capacity, length);
    });
  }

  const cleanclip_history *get() const noexcept { return handle_.get(); }

 private:
  detail::Handle<cleanclip_history, cleanclip_history_free> handle_;
};

namespace detail {

inline History sanitize(Model &model, const cleanclip_tokenizer *tokenizer, const Dataset &dataset,
                        const SanitizeOptions &options, const ProgressFunction &progress) {
  ProgressListener listener(progress, &dataset);
  cleanclip_history *handle = nullptr;
  const cleanclip_status status =
      cleanclip_sanitize(model.get(), tokenizer, dataset.get(), &options, &progressCallback,
                         &listener, &handle);
  History history(handle);
  const std::exception_ptr error = Communicator::takeError(options.communicator);
  if (error != nullptr) std::rethrow_exception(error);
  listener.check(status);
  return history;
}

}  // namespace detail

/** Fine-tunes the model on clean pairs so that a backdoor is forgotten; the model is updated. */
inline History sanitize(Model &model, const Tokenizer &tokenizer, const Dataset &dataset,
                        const SanitizeOptions &options = {},
                        const ProgressFunction &progress = nullptr) {
  return detail::sanitize(model, tokenizer.get(), dataset, options, progress);
}

/** The same with a method that reads no captions, such as "supervised". */
inline History sanitize(Model &model, const Dataset &dataset, const SanitizeOptions &options,
                        const ProgressFunction &progress = nullptr) {
  return detail::sanitize(model, nullptr, dataset, options, progress);
}

}  // namespace cleanclip

#endif
