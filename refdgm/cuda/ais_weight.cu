// The weight of annealed importance sampling of an RBM.

// log_w += log f_t(v) - log f_(t-1)(v), t = step.  v (M, D), logits (M, H)
extern "C" __global__ void weigh(const real* v, const real* logits, const real* b, const real* base, const real* betas,
                                 real* log_w, int M, int D, int H, int group, unsigned step) {
    const real old = betas[step - 1], beta = betas[step];
    real total = threadIdx.y == 0 && own_chain() < M ? log_w[own_chain()] : 0;
    total = sum_in_order(total, M, D, group, 1, [&](int row, int i) -> Term {
        return {v[size_t(row) * D + i] * ((beta - old) * (b[i] - base[i])), 1, 1};
    });
    total = sum_in_order(total, M, H, group, 1, [&](int row, int j) -> Term {
        real logit = logits[size_t(row) * H + j], before = old * logit, after = beta * logit;
        return {elementary::larger(after, 0) - elementary::larger(before, 0), factor(after), factor(before)};
    });
    if (threadIdx.y == 0 && own_chain() < M) log_w[own_chain()] = total;
}
