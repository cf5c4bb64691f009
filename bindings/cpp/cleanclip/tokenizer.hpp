/**
 * @file cleanclip/tokenizer.hpp
 * @brief CLIP's tokenizer.
 *
 * Part of cleanclip.hpp, which programs include.
 */
#ifndef CLEANCLIP_TOKENIZER_HPP
#define CLEANCLIP_TOKENIZER_HPP

#include <cleanclip/tokenizer.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "handle.hpp"

namespace cleanclip {

/** Turns texts into token ids. */
class Tokenizer {
 public:
  /** Loads a vocabulary. */
  explicit Tokenizer(const std::string &path) : Tokenizer() {
    cleanclip_tokenizer *handle = nullptr;
    check(cleanclip_tokenizer_load(path.c_str(), &handle));
    handle_.reset(handle);
  }

  /** Loads the vocabulary beside a model, or else the installed one. */
  static Tokenizer find(const std::string &modelPath = "") {
    cleanclip_tokenizer *handle = nullptr;
    check(cleanclip_tokenizer_find(detail::orNull(modelPath), &handle));
    Tokenizer tokenizer;
    tokenizer.handle_.reset(handle);
    return tokenizer;
  }

  /** Turns texts into token ids, [texts, contextLength], padded with zeros. */
  std::vector<std::int32_t> encode(const std::vector<std::string> &texts,
                                   std::int64_t contextLength = 77) const {
    const detail::Pointers pointers(texts);
    const std::int64_t width = contextLength < 0 ? 0 : contextLength;
    std::vector<std::int32_t> ids(texts.size() * static_cast<std::size_t>(width) + 1);
    check(cleanclip_tokenizer_encode(get(), pointers.data(), pointers.size(), contextLength,
                                     ids.data(), ids.size()));
    ids.pop_back();
    return ids;
  }

  std::int64_t vocabSize() const { return cleanclip_tokenizer_vocab_size(get()); }
  const cleanclip_tokenizer *get() const noexcept { return handle_.get(); }

 private:
  Tokenizer() = default;
  detail::Handle<cleanclip_tokenizer, cleanclip_tokenizer_free> handle_;
};

}  // namespace cleanclip

#endif
