/**
 * @file cleanclip/tokenizer.h
 * @brief Tokenizer: CLIP's byte-level byte-pair encoding.
 *
 * cleanclip_tokenizer_find() takes the vocabulary beside the model, or else the installed one.
 *
 * @code{.c}
 * cleanclip_tokenizer *tokenizer;
 * cleanclip_tokenizer_find("clip.onnx", &tokenizer);
 * const char *texts[] = {"a photo of a cat"};
 * int32_t ids[77];
 * cleanclip_tokenizer_encode(tokenizer, texts, 1, 77, ids, 77);
 * cleanclip_tokenizer_free(tokenizer);
 * @endcode
 *
 * Part of cleanclip.h, which programs include.
 */
#ifndef CLEANCLIP_TOKENIZER_H
#define CLEANCLIP_TOKENIZER_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

/** CLIP's byte-level byte-pair encoding with a vocabulary. */
typedef struct cleanclip_tokenizer cleanclip_tokenizer;

/**
 * Loads a vocabulary.
 *
 * @param[in] path `bpe_simple_vocab_16e6.txt` or `.txt.gz`, a folder with `vocab.json` and
 *   `merges.txt` (or one of the two), or `tokenizer.json`.
 * @param[out] out_tokenizer To be freed with cleanclip_tokenizer_free().
 * @return CLEANCLIP_NOT_FOUND or CLEANCLIP_IO: no readable file; CLEANCLIP_FORMAT: not a
 *   vocabulary of CLIP's kind.
 */
CLEANCLIP_API cleanclip_status cleanclip_tokenizer_load(const char *path,
                                                        cleanclip_tokenizer **out_tokenizer);

/**
 * Loads the vocabulary that belongs to a model, or else the installed one.
 *
 * Looks beside the model, then at the environment's CLEANCLIP_TOKENIZER, then where the library's
 * package installs OpenAI's vocabulary.
 *
 * @param[in] model_path As in cleanclip_model_load(); NULL looks for the installed one only.
 * @param[out] out_tokenizer To be freed with cleanclip_tokenizer_free().
 * @return CLEANCLIP_NOT_FOUND: none anywhere, the text lists the places; CLEANCLIP_FORMAT.
 */
CLEANCLIP_API cleanclip_status cleanclip_tokenizer_find(const char *model_path,
                                                        cleanclip_tokenizer **out_tokenizer);

/** Frees a tokenizer. NULL is allowed and does nothing. */
CLEANCLIP_API void cleanclip_tokenizer_free(cleanclip_tokenizer *tokenizer);

/** Returns the number of token ids; 0 for NULL. */
CLEANCLIP_API int64_t cleanclip_tokenizer_vocab_size(const cleanclip_tokenizer *tokenizer);

/**
 * Turns texts into token ids.
 *
 * Each row is start-of-text, the text's tokens, end-of-text, then zeros. A text that is too long is
 * cut so that end-of-text is in the last position.
 *
 * @param[in] tokenizer The vocabulary.
 * @param[in] texts n texts, none NULL; "" is allowed.
 * @param[in] count n ≥ 0.
 * @param[in] context_length L, 2 … 65536; usually cleanclip_model_context_length().
 * @param[out] out_ids [n, L].
 * @param[in] out_capacity Elements that `out_ids` has room for; at least n * L.
 * @return CLEANCLIP_INVALID_ARGUMENT.
 */
CLEANCLIP_API cleanclip_status cleanclip_tokenizer_encode(const cleanclip_tokenizer *tokenizer,
                                                          const char *const *texts, int64_t count,
                                                          int64_t context_length, int32_t *out_ids,
                                                          size_t out_capacity);

#ifdef __cplusplus
}
#endif

#endif
