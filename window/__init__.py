"""The page that shows a run or a recording in a browser: a tap on the dataflow's rows, and a server on this machine."""
