/**
 * @file cleanclip/computing.hpp
 * @brief Threads, memory, and messages of the library.
 *
 * Part of cleanclip.hpp, which programs include.
 */
#ifndef CLEANCLIP_COMPUTING_HPP
#define CLEANCLIP_COMPUTING_HPP

#include <cleanclip/computing.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "status.hpp"

namespace cleanclip {

/** Sets the number of computing threads of the process, 1 … 1024; 0: one for each core. */
inline void setThreadCount(std::int32_t count) { check(cleanclip_set_num_threads(count)); }

/** The number of computing threads. */
inline std::int32_t threadCount() noexcept { return cleanclip_num_threads(); }

/** Bytes of tensors that the library holds. */
inline std::int64_t memoryInUse() noexcept { return cleanclip_memory_in_use(); }

/** The most bytes of tensors that the library has held. */
inline std::int64_t memoryPeak() noexcept { return cleanclip_memory_peak(); }

/** Returns memory that is kept for reuse to the system. */
inline void trimMemory() noexcept { cleanclip_memory_trim(); }

/**
 * Called with messages, on the thread that called the library. What it throws is dropped.
 *
 * A severity is a cleanclip_severity; compare with `>=`, because there may be others.
 */
using LogFunction = std::function<void(std::int32_t severity, const std::string &message)>;

namespace detail {

/** The function that messages go to, which a running call keeps alive. */
class Log {
 public:
  static Log &shared() {
    static Log log;
    return log;
  }

  void set(LogFunction function) {
    const bool listens = function != nullptr;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      function_ = listens ? std::make_shared<const LogFunction>(std::move(function)) : nullptr;
    }
    cleanclip_set_message_callback(listens ? &Log::call : nullptr, this);
  }

  Log(const Log &) = delete;
  Log &operator=(const Log &) = delete;

 private:
  Log() = default;
  ~Log() { cleanclip_set_message_callback(nullptr, nullptr); }

  static void call(std::int32_t severity, const char *message, void *log) noexcept {
    try {
      Log &self = *static_cast<Log *>(log);
      std::shared_ptr<const LogFunction> function;
      {
        const std::lock_guard<std::mutex> lock(self.mutex_);
        function = self.function_;
      }
      if (function != nullptr) (*function)(severity, message);
    } catch (...) {
      // A message has no caller to whom this could be returned.
    }
  }

  std::mutex mutex_;
  std::shared_ptr<const LogFunction> function_;
};

}  // namespace detail

/**
 * Asks a function whether to continue, now and then, in calls of this thread without a progress
 * function: loading, saving, encoding. When it returns false, or throws, the call ends with
 * CLEANCLIP_CANCELLED. Lives on the stack, around the calls that it is meant for.
 */
class Poll {
 public:
  explicit Poll(std::function<bool()> function) : function_(std::move(function)) {
    cleanclip_set_poll_callback(&Poll::call, this);
  }

  ~Poll() { cleanclip_set_poll_callback(nullptr, nullptr); }

  Poll(const Poll &) = delete;
  Poll &operator=(const Poll &) = delete;

 private:
  static std::int32_t call(void *poll) noexcept {
    try {
      return static_cast<Poll *>(poll)->function_() ? 0 : 1;
    } catch (...) {
      return 1;
    }
  }

  std::function<bool()> function_;
};

/** Sends the messages of the library to a function; nullptr ends that. */
inline void setLog(LogFunction function) { detail::Log::shared().set(std::move(function)); }

}  // namespace cleanclip

#endif
