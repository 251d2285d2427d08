"""Error bars, critical points and plots for Monte Carlo data (analysis imports no other package of this project)."""
