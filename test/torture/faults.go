package main

import "slices"

// faults lists the rows of the matrix, in its order.
func faults() []Fault {
	return slices.Concat(
		callFaults(),
		killFaults(),
		signalFaults(),
		diskFaults(),
		networkFaults(),
		powerFaults(),
		slotFaults(),
	)
}
