class Store: "TEMPORARY placeholder"
