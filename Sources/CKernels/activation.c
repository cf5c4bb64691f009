#include "parallel.h"
#include "vector.h"

// Each activation is x·g(x) for a gate g in 0…1; its derivative is g + x·g'.

typedef struct {
  vfloat gate, derivative;  // g and g'
} gate;

CK_INLINE vfloat sigmoid(vfloat x) { return splat(1.f) / (splat(1.f) + vexp(-x)); }

// g = sigmoid(1.702 x).
CK_INLINE gate quick_gelu_gate(vfloat x) {
  vfloat s = sigmoid(splat(1.702f) * x);
  return (gate){s, splat(1.702f) * s * (splat(1.f) - s)};
}

// g = Φ(x) = erfc(-x / √2) / 2. With z = |x| / √2 and t = 1 / (1 + 0.4 z), erfc(z) exp(z²) is a
// polynomial of t within 6.2e-8 of itself (least squares with weights raised at the extremes).
CK_INLINE gate gelu_gate(vfloat x) {
  vfloat magnitude = choose((vint)(x < splat(0.f)), -x, x);
  vfloat t = splat(1.f) / (splat(1.f) + splat(0.4f * 0.70710678f) * magnitude);
  vfloat p = splat(0.041251699537385535f);
  p = p * t + splat(-0.140313404774172f);
  p = p * t + splat(0.08397660170348412f);
  p = p * t + splat(0.0879750668331658f);
  p = p * t + splat(0.07975006246230373f);
  p = p * t + splat(0.1933955539603213f);
  p = p * t + splat(0.20188708312171655f);
  p = p * t + splat(0.22644317048201468f);
  p = p * t + splat(0.22563422831426336f);
  vfloat density = vexp(splat(-0.5f) * x * x);
  vfloat tail = splat(0.5f) * p * t * density;
  vfloat phi = choose((vint)(x < splat(0.f)), tail, splat(1.f) - tail);
  return (gate){phi, splat(0.39894228f) * density};
}

// g = (1 + tanh(u)) / 2 = sigmoid(2 u), u = √(2/π) (x + 0.044715 x³).
CK_INLINE gate gelu_tanh_gate(vfloat x) {
  vfloat square = x * x;
  vfloat s = sigmoid(splat(2 * 0.79788456f) * x * (splat(1.f) + splat(0.044715f) * square));
  vfloat slope = splat(2 * 0.79788456f) * (splat(1.f) + splat(3 * 0.044715f) * square);
  vfloat derivative = slope * s * (splat(1.f) - s);
  // Far out the cube overflows while the other factor is zero.
  return (gate){s, choose((vint)(square > splat(1e12f)), splat(0.f), derivative)};
}

CK_INLINE gate gate_of(ck_activation kind, vfloat x) {
  return kind == CK_QUICK_GELU ? quick_gelu_gate(x)
         : kind == CK_GELU     ? gelu_gate(x)
                               : gelu_tanh_gate(x);
}

typedef struct {
  ck_dtype type;
  ck_activation kind;
  const void *x, *dy;
  void *out;
  int64_t count;
} arguments;

enum { BLOCK = 1024 };

CK_INLINE void range(
    const arguments *w, int64_t begin, int64_t end, ck_dtype type, ck_activation kind,
    int backward) {
  int64_t last = end * BLOCK < w->count ? end * BLOCK : w->count;
  for (int64_t i = begin * BLOCK; i < last; i += LANES) {
    int64_t lanes = last - i < LANES ? last - i : LANES;
    vfloat x = load_some(type, w->x, i, lanes);
    gate g = gate_of(kind, x);
    vfloat result = backward ? load_some(type, w->dy, i, lanes) * (g.gate + x * g.derivative)
                             : x * g.gate;
    store_some(type, w->out, i, lanes, result);
  }
}

CK_INLINE void typed_range(
    const arguments *w, int64_t begin, int64_t end, ck_dtype type, int backward) {
  switch (w->kind) {
    case CK_QUICK_GELU: range(w, begin, end, type, CK_QUICK_GELU, backward); break;
    case CK_GELU: range(w, begin, end, type, CK_GELU, backward); break;
    case CK_GELU_TANH: range(w, begin, end, type, CK_GELU_TANH, backward); break;
  }
}

CK_CLONES static void forward_body(void *context, int64_t begin, int64_t end, int32_t thread) {
  (void)thread;
  const arguments *w = context;
  if (w->type == CK_F32) {
    typed_range(w, begin, end, CK_F32, 0);
  } else {
    typed_range(w, begin, end, CK_BF16, 0);
  }
}

CK_CLONES static void backward_body(void *context, int64_t begin, int64_t end, int32_t thread) {
  (void)thread;
  const arguments *w = context;
  if (w->type == CK_F32) {
    typed_range(w, begin, end, CK_F32, 1);
  } else {
    typed_range(w, begin, end, CK_BF16, 1);
  }
}

void ck_activate(ck_dtype type, ck_activation kind, const void *x, void *y, int64_t count) {
  arguments work = {.type = type, .kind = kind, .x = x, .out = y, .count = count};
  ck_parallel((count + BLOCK - 1) / BLOCK, count * 8, forward_body, &work);
}

void ck_activate_backward(
    ck_dtype type, ck_activation kind, const void *x, const void *dy, void *dx, int64_t count) {
  arguments work = {.type = type, .kind = kind, .x = x, .dy = dy, .out = dx, .count = count};
  ck_parallel((count + BLOCK - 1) / BLOCK, count * 8, backward_body, &work);
}
