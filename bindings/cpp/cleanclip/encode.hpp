/**
 * @file cleanclip/encode.hpp
 * @brief Features of images and texts.
 *
 * Part of cleanclip.hpp, which programs include.
 */
#ifndef CLEANCLIP_ENCODE_HPP
#define CLEANCLIP_ENCODE_HPP

#include <cleanclip/encode.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "span.hpp"

namespace cleanclip {

/** cleanclip_encode_options with its defaults. */
struct EncodeOptions : cleanclip_encode_options {
  EncodeOptions() { cleanclip_encode_options_init(this, sizeof(cleanclip_encode_options)); }
};

/** Features, row by row: [count, embedDim]. */
struct Features {
  std::vector<float> values;
  std::int64_t count = 0;
  std::int64_t embedDim = 0;

  /** The feature of one image or text. */
  Span<const float> operator[](std::int64_t index) const {
    return {values.data() + index * embedDim, static_cast<std::size_t>(embedDim)};
  }
};

}  // namespace cleanclip

#endif
