#include <math.h>

#include "parallel.h"
#include "partials.h"
#include "vector.h"

typedef struct {
  float *value, *first, *second;
  const float *gradient;
  int64_t count;
  float decay, beta1, beta2, epsilon, step_size, second_correction;
} arguments;

enum { BLOCK = 4096 };

CK_INLINE void update(const arguments *w, int64_t begin, int64_t end) {
  // Copies: stores through the pointers could otherwise change the arguments.
  const arguments a = *w;
  vfloat beta1 = splat(a.beta1), beta2 = splat(a.beta2);
  vfloat rest1 = splat(1 - a.beta1), rest2 = splat(1 - a.beta2);
  for (int64_t i = begin; i < end; i += LANES) {
    int64_t lanes = end - i;
    vfloat g = load_some(CK_F32, a.gradient, i, lanes);
    vfloat m = beta1 * load_some(CK_F32, a.first, i, lanes) + rest1 * g;
    vfloat v = beta2 * load_some(CK_F32, a.second, i, lanes) + rest2 * g * g;
    store_some(CK_F32, a.first, i, lanes, m);
    store_some(CK_F32, a.second, i, lanes, v);
    vfloat divisor = vsqrt(v) * splat(a.second_correction) + splat(a.epsilon);
    vfloat value = load_some(CK_F32, a.value, i, lanes) * splat(a.decay);
    store_some(CK_F32, a.value, i, lanes, value - splat(a.step_size) * (m / divisor));
  }
}

CK_CLONES static void body(void *context, int64_t begin, int64_t end, int32_t thread) {
  (void)thread;
  const arguments *w = context;
  update(w, begin * BLOCK, end * BLOCK < w->count ? end * BLOCK : w->count);
}

void ck_adamw(
    float *value, const float *gradient, float *first_moment, float *second_moment, int64_t count,
    float learning_rate, float beta1, float beta2, float epsilon, float weight_decay, int64_t step) {
  double correction1 = 1 - pow(beta1, (double)step), correction2 = 1 - pow(beta2, (double)step);
  arguments work = {.value = value, .first = first_moment, .second = second_moment,
                    .gradient = gradient, .count = count,
                    .decay = (float)(1 - (double)learning_rate * weight_decay), .beta1 = beta1,
                    .beta2 = beta2, .epsilon = epsilon,
                    .step_size = (float)(learning_rate / correction1),
                    .second_correction = (float)(1 / sqrt(correction2))};
  ck_parallel((count + BLOCK - 1) / BLOCK, count * 4, body, &work);
}
