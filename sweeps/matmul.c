/* Multiplies two N x N matrices and says how long that took. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 100;
    double *a = malloc(sizeof(double) * n * n);
    double *b = malloc(sizeof(double) * n * n);
    double *c = calloc((size_t)n * n, sizeof(double));
    if (n < 1 || !a || !b || !c)
        return 2;
    for (int i = 0; i < n * n; i++) {
        a[i] = (i % 7) / 7.0;
        b[i] = (i % 11) / 11.0;
    }

    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0;
            for (int k = 0; k < n; k++)
                sum += a[i * n + k] * b[k * n + j];
            c[i * n + j] = sum;
        }
    clock_gettime(CLOCK_MONOTONIC, &end);

    double checksum = 0;
    for (int i = 0; i < n * n; i++)
        checksum += c[i];
    printf("seconds=%.6f\n", (end.tv_sec - begin.tv_sec) + (end.tv_nsec - begin.tv_nsec) / 1e9);
    printf("checksum=%.6g\n", checksum);
    return 0;
}
