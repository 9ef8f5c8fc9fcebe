"""Sales of mined coins against digital tenge: registers, production, custody, delivery versus payment, quota.

What is assumed here, because no act could be read to the word, or none speaks of it. Each assumption is dated data or
one named constant, so that it can be changed where it stands:

- Quota: quantity per coin, lot by lot, over the life of the lot; shares and dates from reports
  (``settlement/model/quota_policies.py``). Only sales settled on this ledger count; every statement says "assumed".
- Register: the supervisor, who stands for the ministry and AFSA, keeps it. A licence holds from the start of the local
  date of issue for three years, or until an earlier date the register names. A status change may lie in the past;
  what was decided before it stands until a correction restates it.
- Production: the columns after "date of distribution" could not be read. A pool must be accredited, and a licence
  active, in the moment of distribution. Two commitments to one IIN differ in their salts, so they are not compared.
- Prices: any supervisor may publish them. A date of distribution without a time is the day's first moment.
- Coins: the same scale at every exchange. A token of an exchange or its group is registered as such, never admitted.
- Custody: what an auditor saw, less what was withdrawn since the look, is the most an exchange may owe. The look is at
  most a day old. Payouts of pools are told apart by their output on the coin's chain.
- Sales: exchange and miner must be licensed in the moment of execution, which the exchange attests itself, and again
  when the sale settles, at most ``EXECUTION_AGE_MAX_US`` later. A sale is of ``TRADE_AMOUNT_MIN`` at least, rounded
  down to a tiyn; the seller's limit holds after rounding. The fee is the seller's and at most ``FEE_PPM_MAX``. Miners
  do not buy on the account of their proceeds. The exchange's own house does not trade.
- Consent: coins and tenge of one side are bound to one key, which signs the mandate; an account without a key takes
  credits only. A miner confirms, with its own signature, the account whose sales count towards its quota.
- Return to the same owner: the bank that keeps the wallet says so, by signing with the holder it knows.
"""
