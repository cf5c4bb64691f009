/* The header alone, in each language version that it promises. */
#include <cleanclip.h>

int main(void) { return 0; }
