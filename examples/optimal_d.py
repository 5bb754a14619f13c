"""The smallest fractional order that makes a log price stationary: López de Prado 2018, section 5.6."""

import tempfile

import numpy as np

import tickwax as tw

with tempfile.TemporaryDirectory() as folder:
    tape = tw.synthetic_tape(f"{folder}/tape", span="20m")
    prices = np.log(tw.replay(tape, sampling="1s")["mid"].to_numpy())

best = tw.find_optimal_d(prices, threshold=1e-4)
print("    d   p-value  memory")
for trial in best.trials:
    print(f"{trial.d:5.3f}  {trial.adf_pvalue:8.2g}  {trial.memory_retained:6.3f}")
print(f"d = {best.d:.3f} is {'stationary' if best.is_stationary else 'not stationary'}")

# The same order on a stream, value by value.
online = tw.FractionalDifferentiator(best.d, threshold=1e-4)
values = [online.update(price) for price in prices]
print(f"{sum(value is not None for value in values)} values on a stream, the last {values[-1]:.6f}")
