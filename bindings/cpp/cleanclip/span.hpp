/**
 * @file cleanclip/span.hpp
 * @brief Views of arrays that others own.
 *
 * Part of cleanclip.hpp, which programs include.
 */
#ifndef CLEANCLIP_SPAN_HPP
#define CLEANCLIP_SPAN_HPP

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <type_traits>
#include <utility>

#include "status.hpp"

namespace cleanclip {

/** A view of `size` elements: std::span of C++20, as far as this binding needs it. */
template <typename Element>
class Span {
 public:
  Span() noexcept : data_(nullptr), size_(0) {}
  Span(Element *data, std::size_t size) noexcept : data_(data), size_(size) {}

  /** Views a vector, an array or another container of contiguous elements, not a temporary one. */
  template <typename Container,
            typename = typename std::enable_if<std::is_convertible<
                decltype(std::declval<Container &>().data()), Element *>::value>::type>
  Span(Container &container) noexcept : data_(container.data()), size_(container.size()) {}

  template <std::size_t count>
  Span(Element (&array)[count]) noexcept : data_(array), size_(count) {}

  Element *data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  Element *begin() const noexcept { return data_; }
  Element *end() const noexcept { return data_ + size_; }
  Element &operator[](std::size_t index) const noexcept { return data_[index]; }

 private:
  Element *data_;
  std::size_t size_;
};

namespace detail {

/**
 * Returns the address of an array of so many elements, never NULL.
 *
 * @throws Error CLEANCLIP_SHAPE when the view has another size.
 */
template <typename Element>
Element *elements(Span<Element> view, std::initializer_list<std::int64_t> dimensions,
                  const char *what) {
  static typename std::remove_const<Element>::type none{};
  std::size_t expected = 1;
  for (const std::int64_t dimension : dimensions) {
    const std::size_t size = dimension < 0 ? 0 : static_cast<std::size_t>(dimension);
    if (size != 0 && expected > SIZE_MAX / size) {
      throw Error(CLEANCLIP_SHAPE, std::string(what) + ": dimensions are too large");
    }
    expected *= size;
  }
  if (view.size() != expected) {
    throw Error(CLEANCLIP_SHAPE, std::string(what) + ": has the wrong size; expected " +
                                     std::to_string(expected) + " elements, got " +
                                     std::to_string(view.size()));
  }
  return view.data() == nullptr ? &none : view.data();
}

}  // namespace detail

}  // namespace cleanclip

#endif
