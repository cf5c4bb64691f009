/**
 * @file cleanclip/data.hpp
 * @brief Datasets: images with captions, labels or both.
 *
 * Part of cleanclip.hpp, which programs include.
 */
#ifndef CLEANCLIP_DATA_HPP
#define CLEANCLIP_DATA_HPP

#include <cleanclip/data.h>

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "handle.hpp"

namespace cleanclip {

/** Images with captions, labels or both. */
class Dataset {
 public:
  /**
   * Fills a pair and returns true, or returns false where there is none. The content lives until the
   * next one is asked for.
   *
   * It runs on threads of the library, one at a time. What it throws ends the call that reads the
   * dataset, and comes out of it.
   */
  using PairFunction = std::function<bool(std::int64_t index, cleanclip_pair &pair)>;

  /** cleanclip_dataset_options with its defaults. */
  struct Options : cleanclip_dataset_options {
    Options() { cleanclip_dataset_options_init(this, sizeof(cleanclip_dataset_options)); }
  };

  /** Opens csv and tsv files, tar shards and folders; patterns with `*`. */
  explicit Dataset(const std::vector<std::string> &sources, const Options &options = Options()) {
    const detail::Pointers pointers(sources);
    cleanclip_dataset *handle = nullptr;
    check(cleanclip_dataset_open(pointers.data(), pointers.size(), &options, &handle));
    handle_.reset(handle);
  }

  /** Makes a dataset of pairs that the program holds. */
  Dataset(std::int64_t count, PairFunction function)
      : host_(std::make_unique<Host>(std::move(function))) {
    cleanclip_dataset *handle = nullptr;
    check(cleanclip_dataset_create(count, &Host::answer, host_.get(), &handle));
    handle_.reset(handle);
  }

  std::int64_t size() const { return cleanclip_dataset_count(get()); }

  /** Returns what the dataset holds and what was left out, as JSON. */
  std::string describe() const {
    return detail::text([this](char *out, std::size_t capacity, std::size_t *length) {
      return cleanclip_dataset_describe(get(), out, capacity, length);
    });
  }

  const cleanclip_dataset *get() const noexcept { return handle_.get(); }

  /** Whether the pair function threw since takeError() was called. */
  bool hasThrown() const noexcept { return host_ != nullptr && host_->hasThrown.load(); }

  /** What the pair function threw first, once; functions that read a dataset throw it. */
  std::exception_ptr takeError() const noexcept {
    return host_ == nullptr ? nullptr : host_->takeError();
  }

 private:
  /** The function, and what it threw on a thread of the library. */
  struct Host {
    explicit Host(PairFunction pairs) : function(std::move(pairs)), hasThrown(false) {}

    PairFunction function;
    std::mutex mutex;
    std::exception_ptr error;
    std::atomic<bool> hasThrown;

    static std::int32_t answer(std::int64_t index, cleanclip_pair *pair, void *host) noexcept {
      Host &self = *static_cast<Host *>(host);
      try {
        return self.function(index, *pair) ? 0 : 1;
      } catch (...) {
        const std::lock_guard<std::mutex> lock(self.mutex);
        if (self.error == nullptr) self.error = std::current_exception();
        self.hasThrown.store(true);
        return 1;
      }
    }

    std::exception_ptr takeError() {
      const std::lock_guard<std::mutex> lock(mutex);
      hasThrown.store(false);
      return std::exchange(error, nullptr);
    }
  };

  // Declared before the handle, hence destroyed after it: the library calls it until then.
  std::unique_ptr<Host> host_;
  detail::Handle<cleanclip_dataset, cleanclip_dataset_free> handle_;
};

}  // namespace cleanclip

#endif
