"""Parts of bench/lm_eval_agreement.py."""
