/**
 * @file connx_edits.h
 * Replacement of weights and names in a copy of an ONNX file: every byte that is not replaced stays
 * as it is, fields that no version of the format knows included.
 *
 * What is replaced is named as `connx.h` numbers it. Functions that return `int32_t` return 1; 0 when
 * memory ran out; -1 when the file has no such field to replace.
 */
#ifndef CONNX_EDITS_H
#define CONNX_EDITS_H

#include "connx.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Where everything that can be replaced is located in a file; immutable, independent of the model. */
typedef struct connx_places connx_places;

/** Replacements in one copy of a file. */
typedef struct connx_edits connx_edits;

/** Returns the places of a model's file; NULL when memory ran out. */
connx_places *connx_model_places(const connx_model *model);

/** Frees places; NULL is a no-op. */
void connx_places_free(connx_places *places);

/** Starts a copy without replacements; NULL when memory ran out. */
connx_edits *connx_edits_create(const connx_places *places);

/** Frees replacements; NULL is a no-op. */
void connx_edits_free(connx_edits *edits);

/**
 * Replaces the payload of a tensor whose storage is RAW or FLOATS.
 *
 * @param[in] length bytes that the caller will write.
 * @param[in] content number by which the caller knows the bytes.
 */
int32_t connx_edits_payload(connx_edits *edits, size_t tensor, size_t length, size_t content);

/** Replaces the packed elements of a tensor whose storage is INT32 by 16-bit patterns. */
int32_t connx_edits_patterns(
    connx_edits *edits, size_t tensor, const uint16_t *patterns, size_t count);

/** Replaces the location of a tensor whose storage is EXTERNAL. */
int32_t connx_edits_location(
    connx_edits *edits, size_t tensor, const char *location, size_t length);

/** Replaces the value of a float attribute. */
int32_t connx_edits_float(connx_edits *edits, size_t node, size_t attribute, float value);

/** Replaces the name that input `input` of a node reads. */
int32_t connx_edits_input(
    connx_edits *edits, size_t node, size_t input, const char *name, size_t length);

/**
 * Adds an initializer to the model's graph.
 *
 * @param[in] data_type a TensorProto.DataType.
 * @param[in] length,content its payload, as in `connx_edits_payload`.
 * @param[in] is_input whether the graph's inputs list it too, as versions of the format before 4 ask
 *   for.
 */
int32_t connx_edits_initializer(
    connx_edits *edits, const char *name, size_t name_length, int32_t data_type,
    const int64_t *dimensions, size_t rank, size_t length, size_t content, int32_t is_input);

/** Adds an entry of free text to the model, in place of one with the same key for those who read the
    last. */
int32_t connx_edits_metadata(connx_edits *edits, const char *key, const char *value);

/** What a piece of the copy is. */
typedef enum connx_piece_kind {
  /** `length` bytes of the file from `offset` on. */
  CONNX_PIECE_SOURCE = 0,
  /** `length` bytes at `bytes`. */
  CONNX_PIECE_BYTES = 1,
  /** `length` bytes that the caller writes, number `content`. */
  CONNX_PIECE_CONTENT = 2
} connx_piece_kind;

/** A piece of the copy. */
typedef struct connx_piece {
  connx_piece_kind kind;
  size_t offset;
  size_t length;
  const char *bytes;
  size_t content;
} connx_piece;

/** The pieces of a copy, which belong to the replacements and live as long as they. */
typedef struct connx_pieces {
  const connx_piece *pieces;
  size_t count;
  /** Bytes of the copy. */
  size_t length;
  /** When fields overlap: the file offset of the byte that two of them have. */
  size_t conflict;
} connx_pieces;

/**
 * Puts the copy together, with the lengths of all messages around what was replaced.
 *
 * @return 1; 0 when memory ran out; -1 when replaced fields overlap.
 */
int32_t connx_edits_finish(connx_edits *edits, connx_pieces *out_pieces);

#ifdef __cplusplus
}
#endif
#endif
