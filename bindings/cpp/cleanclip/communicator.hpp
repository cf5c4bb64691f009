/**
 * @file cleanclip/communicator.hpp
 * @brief Communicators: processes that train one model together.
 *
 * Part of cleanclip.hpp, which programs include.
 */
#ifndef CLEANCLIP_COMMUNICATOR_HPP
#define CLEANCLIP_COMMUNICATOR_HPP

#include <cleanclip/communicator.h>

#include <cstdint>
#include <exception>
#include <string>
#include <utility>

namespace cleanclip {

/**
 * The ranks that make a call together: a program derives its own, with the collectives of what it runs.
 *
 * @code{.cpp}
 * MyRanks ranks(rank, size);
 * cleanclip::SanitizeOptions options;
 * options.communicator = ranks.get();
 * @endcode
 *
 * What a collective throws comes out of the call, with its text in the errors of the others where they
 * learn of it. The object must outlive the call and is neither copied nor moved.
 */
class Communicator {
 public:
  Communicator(std::int32_t rank, std::int32_t size) {
    cleanclip_communicator_init(&native_, sizeof native_);
    native_.rank = rank;
    native_.size = size;
    native_.user_data = this;
    native_.all_reduce = &reduced;
    native_.all_gather = &gathered;
    native_.broadcast = &broadcasted;
  }

  Communicator(const Communicator &) = delete;
  Communicator &operator=(const Communicator &) = delete;
  virtual ~Communicator() = default;

  std::int32_t rank() const noexcept { return native_.rank; }
  std::int32_t size() const noexcept { return native_.size; }

  /** Replaces numbers by their sums over all ranks, the same bits on every rank. */
  virtual void allReduce(float *values, std::int64_t count) = 0;

  /** Hands the bytes of every rank to every rank: `size() * count` bytes, in the order of ranks. */
  virtual void allGather(const void *bytes, std::int64_t count, void *all) = 0;

  /** Replaces bytes by those of rank `root`. */
  virtual void broadcast(void *bytes, std::int64_t count, std::int32_t root) = 0;

  /** For the member of options; valid as long as this object. */
  const cleanclip_communicator *get() const noexcept { return &native_; }

  /** Returns what a collective of options' communicator threw, once; null for others. */
  static std::exception_ptr takeError(const cleanclip_communicator *communicator) noexcept {
    if (communicator == nullptr || communicator->all_reduce != &reduced) return nullptr;
    return std::exchange(static_cast<Communicator *>(communicator->user_data)->error_, nullptr);
  }

 private:
  template <typename Collective>
  std::int32_t call(Collective collective) noexcept {
    try {
      collective();
      return 0;
    } catch (const std::exception &error) {
      return fail(error.what());
    } catch (...) {
      return fail("the program's collective threw an exception");
    }
  }

  /** Keeps the exception that is being handled. */
  std::int32_t fail(const char *problem) {
    error_ = std::current_exception();
    problem_ = problem;
    native_.problem = problem_.c_str();
    return 1;
  }

  static std::int32_t reduced(float *values, std::int64_t count, void *self) noexcept {
    auto *ranks = static_cast<Communicator *>(self);
    return ranks->call([&] { ranks->allReduce(values, count); });
  }

  static std::int32_t gathered(const void *bytes, std::int64_t count, void *all,
                               void *self) noexcept {
    auto *ranks = static_cast<Communicator *>(self);
    return ranks->call([&] { ranks->allGather(bytes, count, all); });
  }

  static std::int32_t broadcasted(void *bytes, std::int64_t count, std::int32_t root,
                                  void *self) noexcept {
    auto *ranks = static_cast<Communicator *>(self);
    return ranks->call([&] { ranks->broadcast(bytes, count, root); });
  }

  cleanclip_communicator native_;
  std::exception_ptr error_;
  std::string problem_;
};

}  // namespace cleanclip

#endif
