/**
 * @file cleanclip/handle.hpp
 * @brief Owners of C handles, and texts that cross the C interface.
 *
 * Part of cleanclip.hpp, which programs include.
 */
#ifndef CLEANCLIP_HANDLE_HPP
#define CLEANCLIP_HANDLE_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "status.hpp"

namespace cleanclip {

namespace detail {

/** Frees a handle of the C interface. */
template <typename Type, void (*free)(Type *)>
struct Free {
  void operator()(Type *handle) const noexcept { free(handle); }
};

/** A handle with one owner. */
template <typename Type, void (*free)(Type *)>
using Handle = std::unique_ptr<Type, Free<Type, free>>;

/** Calls a function that writes a text: once for the length, once for the text. */
template <typename Write>
std::string text(Write write) {
  std::size_t length = 0;
  check(write(nullptr, 0, &length));
  std::string result(length + 1, '\0');
  check(write(&result[0], result.size(), &length));
  result.resize(length);
  return result;
}

/** The addresses of texts, as C arrays have them; they live as long as the texts. */
class Pointers {
 public:
  explicit Pointers(const std::vector<std::string> &texts) {
    addresses_.reserve(texts.size() + 1);
    for (const std::string &text : texts) addresses_.push_back(text.c_str());
    // One more, so that the array is not NULL for no text at all.
    addresses_.push_back(nullptr);
  }

  const char *const *data() const noexcept { return addresses_.data(); }
  std::int64_t size() const noexcept { return static_cast<std::int64_t>(addresses_.size()) - 1; }

  /** The array, or NULL for no text at all. */
  const char *const *orNull() const noexcept { return size() == 0 ? nullptr : data(); }

 private:
  std::vector<const char *> addresses_;
};

/** Returns `value`'s text, or NULL for an empty one. */
inline const char *orNull(const std::string &value) {
  return value.empty() ? nullptr : value.c_str();
}

/** Returns a text that may be NULL. */
inline std::optional<std::string> optional(const char *value) {
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

}  // namespace detail

}  // namespace cleanclip

#endif
