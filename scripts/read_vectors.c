/* Test vectors in C: `refdgm vectors DIR`, then `cc read_vectors.c -lm && ./a.out DIR`. Exit status 1 if wrong.
   A test stands on a line of its own, with its keys in the order of the schema: no JSON library is needed. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 1 << 20, MOST = 4096 };

/* One row of log-weights -> log (1/K) sum_k w_k; the wrong one forgets to subtract log K. */
static double bound(const double *w, int K, int wrong) {
    double m = w[0], total = 0;
    for (int k = 1; k < K; k++) m = fmax(m, w[k]);
    for (int k = 0; k < K; k++) total += exp(w[k] - m);
    return m + log(total) - (wrong ? 0 : log(K));
}

/* The numbers of the list after `key`, the first such after p; "inf", "-inf" and "nan" are strings. */
static int numbers(const char *p, const char *key, double *x) {
    int n = 0;
    char *end;
    for (p = strchr(strstr(p, key), '[') + 1; *p != ']' && n < MOST; p = end + strspn(end, ", \""))
        x[n++] = strtod(p + (*p == '"'), &end);
    return n;
}

/* How many tests fail; prints the flags of the invalid ones that agree. */
static int check(const char *path, int wrong) {
    static char line[LINE];
    static double w[MOST], shape[MOST], expected[MOST];
    int failing = 0, gradients = 0;
    FILE *file = fopen(path, "r");
    if (!file) return perror(path), -1;
    while (fgets(line, LINE, file)) {
        if (strstr(line, "{\"type\"")) gradients = strstr(line, "\"gradient\"") != NULL;
        if (gradients || !strstr(line, "{\"id\"") || !strstr(line, "\"float64\"")) continue;
        const char *input = strstr(line, "\"input\""), *output = strstr(line, "\"output\"");
        int K = (int)shape[numbers(input, "\"shape\"", shape) - 1], rows = numbers(input, "\"data\"", w) / K;
        double allowed = strtod(strstr(output, "\"float64\": ") + 11, NULL);
        int agree = numbers(output, "\"data\"", expected) == rows;
        for (int i = 0; i < rows && agree; i++) {
            double got = bound(w + i * K, K, wrong);
            agree = got == expected[i] || fabs(got - expected[i]) <= allowed;
        }
        int invalid = strstr(line, "\"result\": \"invalid\"") != NULL;
        if (invalid && agree) printf("  flags %.*s\n", (int)strcspn(strchr(line, '['), "]") + 1, strchr(line, '['));
        if (strstr(line, "\"result\": \"acceptable\"") == NULL && agree == invalid) failing++;
    }
    fclose(file);
    return failing;
}

int main(int argc, char **argv) {
    char path[4096];
    snprintf(path, sizeof path, "%s/iwae_bound.json", argc > 1 ? argv[1] : ".");
    int right = check(path, 0), wrong = check(path, 1);
    printf("right: %d tests fail\nwrong: %d tests fail\n", right, wrong);
    return right == 0 && wrong > 0 ? 0 : 1;
}
