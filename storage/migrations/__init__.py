"""Every change of the tables, run by `suqiutong.database`."""
